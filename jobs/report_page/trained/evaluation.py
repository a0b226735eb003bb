"""The evaluation as drawings, tables and sentences, from `models/<name>/evaluation.json` (see
`synfiqa.schemas.evaluation`)."""

from dataclasses import dataclass

import numpy as np

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.data import read_result
from synfiqa.jobs.report_page.factors import Plot
from synfiqa.jobs.report_page.plots import edc_curves, pauc_intervals
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.evaluation import (
    Difference,
    EvaluationResult,
    Headline,
    Interval,
    NetworkComparison,
    OtherVersion,
)

_METHODS = {
    "model": ("model", "accent"),
    "sharpness": ("sharpness", "series-1"),
    "random": ("random", "muted"),
    "label": ("label itself", "series-2"),
}
_OTHERS = ("series-3", "series-4", "series-5")
_MODES = {
    "leaderboard": "genuine and impostor pairs discarded together, threshold estimated again at every step, trapezoid",
    "iso": "genuine pairs discarded, threshold of the undiscarded set (largest FMR up to the target) throughout, step "
    "function (ISO/IEC 29794-1)",
}


@dataclass(frozen=True)
class Row:
    """One method of one operating point, ready to print; `role` is its colour."""

    method: str
    role: str
    pauc: str
    interval: str
    difference: str
    difference_interval: str


@dataclass(frozen=True)
class OperatingPoint:
    """All methods under one recognition network, mode and target FMR."""

    title: str
    note: str
    rows: list[Row]
    curves_plot: Plot
    intervals_plot: Plot | None


@dataclass(frozen=True)
class Evaluation:
    """Figures for the top of the page (name, value, detail, comparison), a sentence, the points, headline first."""

    headlines: list[tuple[str, str, str, str]]
    summary: str
    points: list[OperatingPoint]
    skipped: list[str]
    model_sha256: str


def read_evaluation(config: RunConfig, storage: Storage) -> tuple[Evaluation | None, str]:
    """Return the evaluation of the run's model, or None, and a sentence when there is one of another version."""
    path = f"models/{config.train.name}/evaluation.json"
    try:
        document = read_result(storage, path, EvaluationResult)
    except OtherVersion as error:
        return None, f"The evaluation in {path} is of {error}: run synfiqa evaluate, which makes it again."
    return None if document is None else _evaluation(document), ""


def _evaluation(document: EvaluationResult) -> Evaluation:
    results = sorted(document.results, key=lambda result: not _same_point(result, document.headline))
    return Evaluation(
        headlines=_headlines(document),
        summary=(
            f"Error versus discard on {document.identities:,} identities {_held_out(document)}: the images "
            "of lowest quality are discarded first, and the curve is the false non-match rate (FNMR) of the rest. "
            "pAUC is the area below the curve in the shaded part, divided by what random discarding leaves: "
            "1 is chance, lower is better."
        ),
        points=[_point(result, document, f"edc-{number}") for number, result in enumerate(results)],
        skipped=[f"FMR {_percent(entry.fmr)} is left out: {entry.reason}" for entry in document.skipped],
        model_sha256=document.basis.model_sha256,
    )


def _held_out(document: EvaluationResult) -> str:
    if not document.seen:
        return "held out from training"
    return f"that {', '.join(document.seen_by)} may have learned from (--allow-seen)"


def _same_point(result: NetworkComparison, other: Headline) -> bool:
    return (result.embedder, result.mode, result.fmr) == (other.embedder, other.mode, other.fmr)


def _headlines(document: EvaluationResult) -> list[tuple[str, str, str, str]]:
    methods, spearman = document.headline.methods, document.spearman
    model, sharpness = methods["model"], methods.get("sharpness")
    intervals = " and ".join(filter(None, [_interval(found.interval) for found in (model, sharpness) if found]))
    return [
        (
            "Spearman with the label",
            _figure(spearman["model"]),
            f"{document.degraded:,} images of {document.identities:,} held-out identities",
            f"sharpness {_figure(spearman['sharpness'])}" if sharpness else "",
        ),
        (
            "pAUC of the model",
            _figure(model.pauc),
            (f"95 %: {intervals}; " if intervals else "") + "lower is better, 1 is chance",
            f"sharpness {_figure(sharpness.pauc)}" if sharpness else "",
        ),
    ]


def _point(result: NetworkComparison, document: EvaluationResult, name: str) -> OperatingPoint:
    known = {method: result.methods[method] for method in _METHODS if method in result.methods}
    methods = {**known, **{method: found for method, found in result.methods.items() if method not in known}}
    shown = {method: _shown(method, place - len(known)) for place, method in enumerate(methods)}
    versus = {entry.other: entry for entry in result.differences if entry.method == "model"}
    curves = {
        shown[method][0]: (shown[method][1], found.discard, np.array(found.fnmr, float))
        for method, found in methods.items()
    }
    whiskers = {
        shown[method][0]: (shown[method][1], found.pauc, *_bounds(found.interval))
        for method, found in methods.items()
        if found.pauc is not None and found.interval
    }
    steps = result.mode == "iso"
    return OperatingPoint(
        title=f"{result.embedder}, {result.mode} mode, FMR {_percent(result.fmr)}",
        note=_note(result, document),
        rows=[
            Row(
                *shown[method],
                pauc=_figure(found.pauc),
                interval=_interval(found.interval),
                **_difference(versus.get(method)),
            )
            for method, found in methods.items()
        ],
        curves_plot=Plot(edc_curves(curves, result.discard_limit, steps, name)),
        intervals_plot=Plot(pauc_intervals(whiskers, f"{name}-pauc")) if whiskers else None,
    )


_PAIRS = {
    "probe-reference": "each of a degraded probe and a clean reference",
    "all": "of any two held-out images",
}


def _shown(method: str, other: int) -> tuple[str, str]:
    """Return name and colour of a method; methods without a colour of their own share the remaining colours."""
    return _METHODS.get(method) or (method, _OTHERS[other % len(_OTHERS)])


def _note(result: NetworkComparison, document: EvaluationResult) -> str:
    origin = "independent of the labels" if result.independent else "the network that the labels come from"
    sampled = " (sampled)" if document.impostors_sampled else ""
    resamples = next((found.interval.resamples for found in result.methods.values() if found.interval), 0)
    intervals = f"Intervals: bootstrap over identities, {resamples:,} resamples." if resamples else "No bootstrap."
    notes = [f"{_shown(method, 0)[0]}: {found.note}" for method, found in result.methods.items() if found.note]
    return " ".join(
        [
            f"Recognition by {result.embedder}, {origin}. {result.mode.capitalize()} mode: "
            f"{_MODES.get(result.mode, 'see the documentation')}.",
            f"FMR {_percent(result.fmr)}, FNMR without discarding F₀ = {_percent(result.fnmr0)}, "
            f"R = {_percent(result.discard_limit)}, {result.n_genuine:,} genuine and "
            f"{result.n_impostor:,} impostor pairs{sampled}, {_PAIRS.get(document.pairs, document.pairs)}.",
            intervals,
            *notes,
        ]
    )


def _difference(entry: Difference | None) -> dict[str, str]:
    if entry is None or entry.difference is None:
        return {"difference": "", "difference_interval": ""}
    return {
        "difference": f"{entry.difference:+.3f}".replace("-", "−"),
        "difference_interval": _interval(entry.interval),
    }


def _bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)


def _interval(interval: Interval | None) -> str:
    low, high = _bounds(interval)
    return "" if low is None or high is None else f"{_figure(low)} to {_figure(high)}"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}".replace("-", "−")


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.3g} %"
