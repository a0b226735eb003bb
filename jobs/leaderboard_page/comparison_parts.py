"""Parts of a leaderboard beside its tables of pAUC: wins of simple measures, agreement of scorers, and speed."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from synfiqa.schemas.leaderboard_result import Beaten, LeaderboardResult, RankCorrelation


@dataclass(frozen=True)
class SimpleWin:
    """One setting (set, judge, mode, FMR): the best simple measure and the methods behind it, best first, as text."""

    setting: str
    simple: str
    methods: str


@dataclass(frozen=True)
class Cell:
    """A correlation as text, and its strength as a percentage of a colour; `negative` takes the other colour."""

    text: str
    shade: int
    negative: bool


def settings_count(found: LeaderboardResult) -> dict[str, int]:
    """Return in how many settings (set, judge, mode, FMR) with enough identity pairs each scorer has a pAUC."""
    counts: Counter[str] = Counter()
    for figures in found.sets:
        for result in figures.results:
            if not result.few_carriers:
                counts.update(name for name, method in result.methods.items() if method.pauc is not None)
    return dict(counts)


def beaten_sentences(found: LeaderboardResult) -> list[str]:
    """Return a sentence for each method that a simple measure beats somewhere, the most often beaten first."""
    settings, by_method = settings_count(found), defaultdict[str, list[Beaten]](list)
    for one in found.beaten:
        by_method[one.method].append(one)
    sentences = []
    for method, own in sorted(by_method.items(), key=lambda item: (-len(item[1]), item[0])):
        measures = Counter(one.simple for one in own).most_common()
        listed = ", ".join(f"{simple} {count} x" for simple, count in measures)
        apart = sum(one.apart for one in own)
        clear = f"; in {apart} of them the 95 % intervals do not overlap" if apart else ""
        sentences.append(
            f"{method}: a simple measure beats it in {len(own)} of {settings.get(method, len(own))} settings "
            f"({listed}){clear}."
        )
    return sentences


def simple_wins(found: LeaderboardResult) -> list[SimpleWin]:
    """Return every setting in which a simple measure beats a method."""
    groups = defaultdict[tuple[str, str, float], list[Beaten]](list)
    for one in found.beaten:
        groups[f"{one.set}, {one.judge}, {one.mode}, FMR {one.fmr:g}", one.simple, one.simple_pauc].append(one)
    return [
        SimpleWin(
            setting,
            f"{simple} {pauc:.3f}",
            ", ".join(f"{one.method} {one.pauc:.3f}" for one in sorted(own, key=lambda one: one.pauc)),
        )
        for (setting, simple, pauc), own in groups.items()
    ]


def correlation_rows(correlation: RankCorrelation) -> list[tuple[str, list[Cell]]]:
    """Return name and cells of each row of the matrix; the diagonal is empty."""
    rows = []
    for row, (name, values) in enumerate(zip(correlation.scorers, correlation.values, strict=True)):
        cells = [
            Cell(
                "" if row == column else f"{round(value, 2) + 0.0:.2f}".replace("-", "−"),
                round(70 * abs(value)),
                value < 0,
            )
            for column, value in enumerate(values)
        ]
        rows.append((name, cells))
    return rows


def cost_rows(found: LeaderboardResult) -> list[list[str]]:
    """Return scorer, faces a second one by one, faces a second in batches, batch and CPU milliseconds as text."""
    return [
        [
            cost.scorer,
            f"{cost.single_per_s:,.1f}",
            f"{cost.batch_per_s:,.1f}",
            f"{cost.batch}",
            f"{cost.cpu_ms:,.2f}",
        ]
        for cost in sorted(found.costs, key=lambda cost: cost.cpu_ms)
    ]


COST_HEADS = ["scorer", "faces/s, one by one", "faces/s, in batches", "batch", "CPU-ms a face"]


def costs_note(found: LeaderboardResult) -> str:
    """Return what the speeds were measured on."""
    threads = found.costs[0].threads
    return (
        f"Measured on this machine with {threads} thread{'s' if threads > 1 else ''} on aligned faces of the run, "
        "medians of calls; on a busy machine the rates are lower, processor time hardly changes."
    )
