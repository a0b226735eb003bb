"""One judge, mode and FMR of an evaluation as a drawing, a table and facts in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synfiqa.jobs.report_page.drawing.evaluation_drawings import edc_curves, interval_whiskers
from synfiqa.jobs.report_page.drawing.plots import Plot
from synfiqa.schemas.evaluation import JUDGE, Difference, Interval, Method, NetworkComparison

MODES = {
    "leaderboard": "genuine and impostor pairs are discarded together, and the threshold is estimated again at every "
    "step; the area is that of the trapezoids",
    "iso": "genuine pairs are discarded, and the threshold of the undiscarded set (largest FMR up to the target) is "
    "kept; the area is that of the steps (ISO/IEC 29794-1)",
}
"""What each mode discards, and at which threshold."""

_METHODS = {
    "model": ("model", "accent"),
    "sharpness": ("sharpness", "series-1"),
    "random": ("random", "muted"),
    "label": ("label itself", "series-2"),
}
_OTHERS = ("series-3", "series-4", "series-5", "series-6", "series-7", "series-8")
_RANDOM = "random"
_JUDGE_NOTE = (
    "the judge's own recognition, the mean cosine of an image to the references of its identity; the limit of what can "
    "be foreseen of this judge, since its decisions rest on the same cosines."
)
_PAUC_AXIS = "pAUC with 95 % interval, lower is better, 1 is chance"


@dataclass(frozen=True)
class Row:
    """One method of one operating point, ready to print; `role` is its colour."""

    method: str
    role: str
    pauc: str
    interval: str
    difference: str
    difference_interval: str
    auc: str
    above_ideal: str


@dataclass(frozen=True)
class OperatingPoint:
    """All methods under one judge, mode and target FMR; `facts` are terms with their values, `notes` sentences."""

    title: str
    headline: bool
    facts: list[tuple[str, str]]
    rows: list[Row]
    notes: list[str]
    curves_plot: Plot
    intervals_plot: Plot | None


def operating_point(result: NetworkComparison, pairs: str, sampled: bool, headline: bool, name: str) -> OperatingPoint:
    """Return a result ready to print; `pairs` is the pair protocol in words, ids of the drawings start with `name`.

    `sampled`: the impostor pairs are a sample of all.
    """
    known = {method: result.methods[method] for method in _METHODS if method in result.methods}
    methods = {**known, **{method: found for method, found in result.methods.items() if method not in known}}
    shown = {method: _shown(method, place - len(known)) for place, method in enumerate(methods)}
    versus = {entry.other: entry for entry in result.differences if entry.method == "model"}
    curves = {
        shown[method][0]: (shown[method][1], found.discard, np.array(found.fnmr, float))
        for method, found in methods.items()
    }
    whiskers = {
        shown[method][0]: (shown[method][1], found.pauc, *bounds(found.interval))
        for method, found in methods.items()
        if found.pauc is not None and found.interval
    }
    return OperatingPoint(
        title=f"{result.mode.capitalize()} mode, FMR {percent(result.fmr)}",
        headline=headline,
        facts=_facts(result, pairs, sampled),
        rows=[_row(shown[method], found, versus.get(method)) for method, found in methods.items()],
        notes=_notes({shown[method][0]: found.note for method, found in methods.items()}) + _limit(methods),
        curves_plot=Plot(edc_curves(curves, result.discard_limit, result.mode == "iso", name)),
        # That of random alone, where the judge made the labels, compares nothing.
        intervals_plot=Plot(interval_whiskers(whiskers, f"{name}-pauc", _PAUC_AXIS, 1.0))
        if whiskers.keys() - {_METHODS[_RANDOM][0]}
        else None,
    )


def interval_sentence(results: list[NetworkComparison]) -> str:
    """Return level of the intervals, what is resampled and how often; of the first result with intervals."""
    drawn = [
        found.interval
        for result in results
        for method, found in result.methods.items()
        if found.interval and method != _RANDOM
    ]
    text = "No bootstrap was asked for, so that pAUC has no intervals."
    if drawn:
        valueless = min(interval.used for interval in drawn)
        lost = f" Of some figures only {valueless:,} of them have a value." if valueless < drawn[0].resamples else ""
        text = (
            "Intervals of pAUC and of differences are 95 % percentile intervals of a bootstrap over identities: each "
            f"of {drawn[0].resamples:,} resamples draws as many held-out identities as there are, with replacement, "
            f"each with all its images and pairs.{lost} Methods share the draws, so that differences are paired."
        )
    random = next((r.methods[_RANDOM].interval for r in results if _RANDOM in r.methods), None)
    if random is not None:
        text += (
            f" That of random is another one: the 95 % interval of the mean of {random.resamples:,} random orders of "
            "the images."
        )
    return text


def _row(shown: tuple[str, str], found: Method, versus: Difference | None) -> Row:
    known = versus is not None and versus.difference is not None
    return Row(
        *shown,
        pauc=figure(found.pauc),
        interval=interval_text(found.interval),
        difference=f"{versus.difference:+.3f}".replace("-", "−") if versus is not None and known else "",
        difference_interval=interval_text(versus.interval) if versus is not None and known else "",
        auc=figure(found.auc, 4),
        above_ideal=figure(found.above_ideal),
    )


def _notes(notes: dict[str, str]) -> list[str]:
    """Return why pAUC has no value by method; once where the reason is that of all."""
    if len(set(notes.values())) == 1:
        return [note for note in set(notes.values()) if note]
    return [f"{method}: {note}" for method, note in notes.items() if note]


def _limit(methods: Mapping[str, Method]) -> list[str]:
    return [f"{JUDGE}: {_JUDGE_NOTE}"] if JUDGE in methods else []


def _facts(result: NetworkComparison, pairs: str, sampled: bool) -> list[tuple[str, str]]:
    carriers = "not counted" if result.carriers is None else f"{result.carriers:,}"
    few = " (fewer than 20: one of them moves the figures)" if result.few_carriers else ""
    threshold = "unknown" if result.threshold0 is None else f"cosine {result.threshold0:.3f}".replace("-", "−")
    return [
        ("mode", result.mode),
        ("judge", result.embedder),
        ("FMR", percent(result.fmr)),
        ("F₀, FNMR without discarding", percent(result.fnmr0)),
        ("R, largest discarded share", percent(result.discard_limit)),
        ("threshold without discarding", threshold),
        ("pairs", pairs),
        ("genuine pairs", f"{result.n_genuine:,}"),
        ("impostor pairs", f"{result.n_impostor:,}{' (a sample)' if sampled else ''}"),
        ("carriers, identity pairs above the threshold", f"{carriers}{few}"),
    ]


def _shown(method: str, other: int) -> tuple[str, str]:
    """Return name and colour of a method; methods without a colour of their own share the remaining colours."""
    return _METHODS.get(method) or (method, _OTHERS[other % len(_OTHERS)])


def bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    """Return the ends of an interval, None where it has none."""
    return (interval.low, interval.high) if interval else (None, None)


def interval_text(interval: Interval | None) -> str:
    """Return an interval such as `0.512 to 0.730`, empty where it has no ends."""
    return range_text(*bounds(interval))


def range_text(low: float | None, high: float | None) -> str:
    """Return `low to high`, empty where one of both has no value."""
    return "" if low is None or high is None else f"{figure(low)} to {figure(high)}"


def figure(value: float | None, digits: int = 3) -> str:
    """Return a figure with so many decimals, `none` where there is no value."""
    return "none" if value is None else f"{value:.{digits}f}".replace("-", "−")


def percent(share: float | None) -> str:
    """Return a share in percent, `unknown` where there is none."""
    return "unknown" if share is None else f"{100 * share:.3g} %"
