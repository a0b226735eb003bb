"""The figures by which a model is chosen, each with its interval, and their differences to a reference scorer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.photographs.real_ladders import LadderFigures, Ladders
from benchmarks.quality.photographs.resampling import (
    Draws,
    Figure,
    correlation_draws,
    figure_draws,
    ladder_draws,
)
from synfiqa.schemas.evaluation import Comparison

DROPS = ("noise", "JPEG", "darkening", "over-exposure")
BRIGHTNESS = "Spearman of score and brightness, natural"
SIMILARITY = "Spearman of score and similarity, with faults"


@dataclass(frozen=True)
class Rows:
    """Figures by row and scorer, and the paired differences of each scorer to the reference (empty without one)."""

    figures: dict[str, dict[str, Figure]]
    differences: dict[str, dict[str, Figure]]

    def __or__(self, other: "Rows") -> "Rows":
        """Return the rows of both."""
        return Rows(self.figures | other.figures, self.differences | other.differences)


def pauc_rows(title: str, results: Sequence[Comparison]) -> Rows:
    """Return the pAUC of leaderboard mode at each FMR; differences are those of the comparisons."""
    figures, differences = {}, {}
    for result in results:
        if result.mode != "leaderboard":
            continue
        row = f"pAUC, {title}, FMR {result.fmr:g}"
        figures[row] = {name: _figure(method.pauc, method.interval) for name, method in result.methods.items()}
        differences[row] = {one.method: _figure(one.difference, one.interval) for one in result.differences}
    return Rows(figures, differences)


def correlation_rows(
    row: str,
    qualities: Mapping[str, np.ndarray],
    other: np.ndarray,
    people: np.ndarray,
    reference: str,
    resamples: int,
    seed: int,
) -> Rows:
    """Return Spearman's correlation of scores with another value of the faces, over draws of people."""
    return _rows({row: correlation_draws(dict(qualities), other, people, resamples, seed)}, reference)


def ladder_rows(
    ladders: Ladders, qualities: Mapping[str, np.ndarray], reference: str, resamples: int, seed: int
) -> Rows:
    """Return pooled and within-face correlation, bias and the drops of `DROPS`, over draws of faces."""
    found = ladder_draws(ladders, dict(qualities), resamples, seed)
    read = {
        "pooled rho": lambda one: one.pooled,
        "rho within a face": lambda one: one.within,
        "bias": lambda one: one.bias,
        **{f"drop by {fault}, sd": _drop(fault) for fault in DROPS},
    }
    return _rows({row: figure_draws(found, figure) for row, figure in read.items()}, reference)


def table(rows: Rows, scorers: Sequence[str], reference: str) -> str:
    """Return a Markdown table: one row a figure, one column a scorer, and the differences of the first to the last."""
    heads = [*scorers, *([f"{scorers[0]} - {reference}"] if reference else [])]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for row, figures in rows.figures.items():
        cells = [figures[name].shown() if name in figures else "" for name in scorers]
        difference = rows.differences.get(row, {}).get(scorers[0])
        cells += [difference.shown(sign=True) if difference else ""] if reference else []
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def median_table(by_seed: Sequence[Rows], scorers: Sequence[str], reference: str) -> str:
    """Return a Markdown table of the medians over seeds, with the least and the largest value behind them."""
    heads = [*scorers, *([f"{scorers[0]} - {reference}"] if reference else [])]
    lines = ["| median of seeds (range) | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for row in by_seed[0].figures:
        cells = [
            _median([one.figures[row][name].value for one in by_seed if name in one.figures[row]]) for name in scorers
        ]
        if reference:
            found = [one.differences.get(row, {}).get(scorers[0]) for one in by_seed]
            cells.append(_median([one.value for one in found if one], sign=True))
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rows(draws: Mapping[str, Draws], reference: str) -> Rows:
    figures = {row: {name: Figure.of(values) for name, values in by_name.items()} for row, by_name in draws.items()}
    differences = {
        row: {name: Figure.of(values - by_name[reference]) for name, values in by_name.items() if name != reference}
        for row, by_name in draws.items()
        if reference
    }
    return Rows(figures, differences)


def _figure(value: float | None, interval: object) -> Figure:
    low, high = (getattr(interval, bound, None) for bound in ("low", "high"))
    return Figure(*(np.nan if number is None else float(number) for number in (value, low, high)))


def _drop(fault: str) -> Callable[[LadderFigures], float]:
    def drop(figures: LadderFigures) -> float:
        return figures.drops.get(fault, np.nan)

    return drop


def _median(values: Sequence[float], sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    if not values:
        return ""
    return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
