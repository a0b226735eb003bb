"""Figures of a leaderboard as text."""

from collections.abc import Sequence
from dataclasses import dataclass

from synfiqa.schemas.evaluation import JUDGE, Comparison, Difference, Interval, Method, NetworkComparison
from synfiqa.schemas.leaderboard_result import LeaderboardResult, SetFigures

MODES = {
    "leaderboard": "genuine and impostor pairs discarded together, threshold estimated again at every step of 5 %",
    "iso": "genuine pairs discarded, threshold of the largest FMR up to the target kept (ISO/IEC 29794-1)",
}


@dataclass(frozen=True)
class Table:
    """One table: title, sentence below it, heads, and rows of cells; `best` are the best rows."""

    title: str
    note: str
    heads: list[str]
    rows: list[list[str]]
    best: list[int | None]


def figure(value: float | None) -> str:
    """Return a pAUC with three digits."""
    return "no value" if value is None else f"{value:.3f}"


def interval_text(interval: Interval | None) -> str:
    """Return an interval in brackets, empty where there is none."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def method_text(method: Method | None) -> str:
    """Return pAUC and interval of one method."""
    if method is None:
        return "not measured"
    return " ".join(filter(None, [figure(method.pauc), interval_text(method.interval)]))


def setting_text(result: Comparison) -> str:
    """Return mode, FMR, F_0 and what the threshold depends on."""
    carriers = f", {result.carriers} identity pairs above the threshold" if result.carriers is not None else ""
    warning = ": too few, one of them moves the figures" if result.few_carriers else ""
    start = "no value" if result.fnmr0 is None else f"{result.fnmr0:.4f}"
    return f"{result.mode}, FMR {result.fmr:g}, F_0 {start}{carriers}{warning}"


def tables_of(found: LeaderboardResult, figures: SetFigures) -> list[Table]:
    """Return one table for each judge of a set, rows ordered by the first column."""
    judges = list(dict.fromkeys(result.embedder for result in figures.results))
    return [
        _table(found, figures, [result for result in figures.results if result.embedder == judge]) for judge in judges
    ]


def differences_text(result: NetworkComparison) -> list[str]:
    """Return a sentence for each paired difference."""
    return [_difference(each) for each in result.differences]


def _difference(each: Difference) -> str:
    if each.difference is None:
        return f"{each.method} and {each.other}: no value"
    between = f", 95 % {interval_text(each.interval)}" if interval_text(each.interval) else ""
    return f"{each.method} minus {each.other}: {each.difference:+.3f}{between}"


def _table(found: LeaderboardResult, figures: SetFigures, results: Sequence[NetworkComparison]) -> Table:
    first = results[0]
    names = [name for name in (*found.scorers, JUDGE) if any(name in result.methods for result in results)]
    names.sort(key=lambda name: _rank(first.methods.get(name)))
    rows = [[name, *(method_text(result.methods.get(name)) for result in results)] for name in names]
    best: list[int | None] = []
    for result in results:
        known = {
            at: method.pauc
            for at, name in enumerate(names)
            # The label of the run is what models learn, the judge's f_r what they foresee, and random the measure.
            if name not in ("label", "random", JUDGE)
            and (method := result.methods.get(name))
            and method.pauc is not None
        }
        best.append(min(known, key=lambda at: known[at] or 0.0) if known else None)
    independent = "" if first.independent else "; this network made the labels, so it judges its own"
    note = (
        f"Judge {first.embedder}{independent}. Pairs: {figures.protocol}. {first.n_genuine:,} genuine, "
        f"{first.n_impostor:,} impostor pairs, R {first.discard_limit:g}. pAUC: 1 is chance, lower is better; 95 % "
        "intervals over identities."
    )
    if JUDGE in names:
        note += f" {JUDGE}: mean cosine to the references by this judge itself, what a perfect forecast would reach."
    return Table(
        f"{figures.name}, judged by {first.embedder}", note, ["scorer", *map(setting_text, results)], rows, best
    )


def _rank(method: Method | None) -> float:
    return float("inf") if method is None or method.pauc is None else method.pauc
