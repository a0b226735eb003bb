"""The figures by which a model is chosen, each with its interval, and their differences to a reference scorer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

import numpy as np

from benchmarks.quality.photographs.real_ladders import LadderFigures, Ladders
from benchmarks.quality.photographs.resampling import (
    Draws,
    Figure,
    correlation_draws,
    figure_draws,
    ladder_draws,
)
from synfiqa.schemas.evaluation import Comparison, Interval

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
    read = {"pooled rho": "pooled", "rho within a face": "within", "bias": "bias"}
    rows = {row: figure_draws(found, attrgetter(name)) for row, name in read.items()}
    for fault in DROPS:
        rows[f"drop by {fault}, sd"] = figure_draws(found, partial(_drop, fault))
    return _rows(rows, reference)


def table(rows: Rows, scorers: Sequence[str], reference: str) -> str:
    """Return a Markdown table: one row a figure, one column a scorer, and the differences of the first to the last."""
    return _table("", [rows], scorers, reference, lambda found, sign: found[0].shown(sign=sign))


def median_table(by_seed: Sequence[Rows], scorers: Sequence[str], reference: str) -> str:
    """Return a Markdown table of the medians over seeds, with the least and the largest value behind them."""
    return _table("median of seeds (range) ", by_seed, scorers, reference, _median)


def _table(
    title: str,
    by_seed: Sequence[Rows],
    scorers: Sequence[str],
    reference: str,
    shown: Callable[[Sequence[Figure], bool], str],
) -> str:
    """Return a Markdown table of what `shown` makes of the figures of all seeds; a cell without any is empty."""
    heads = [*scorers, *([f"{scorers[0]} - {reference}"] if reference else [])]
    lines = [f"| {title}| " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for row in by_seed[0].figures:
        columns = [([one.figures[row].get(name) for one in by_seed], False) for name in scorers]
        if reference:
            columns.append(([one.differences.get(row, {}).get(scorers[0]) for one in by_seed], True))
        cells = []
        for found, sign in columns:
            measured = [figure for figure in found if figure is not None]
            cells.append(shown(measured, sign) if measured else "")
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


def _figure(value: float | None, interval: Interval | None) -> Figure:
    bounds = (None, None) if interval is None else (interval.low, interval.high)
    return Figure(*(np.nan if number is None else number for number in (value, *bounds)))


def _drop(fault: str, figures: LadderFigures) -> float:
    return figures.drops.get(fault, np.nan)


def _median(figures: Sequence[Figure], sign: bool) -> str:
    form, values = "+.3f" if sign else ".3f", [figure.value for figure in figures]
    return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
