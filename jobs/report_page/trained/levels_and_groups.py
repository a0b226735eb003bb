"""Scores by level of the label and by group of people as drawings and tables, from `models/<name>/audit.json`."""

from dataclasses import dataclass

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.data import read_result
from synfiqa.jobs.report_page.drawing.evaluation_drawings import interval_whiskers, level_bars
from synfiqa.jobs.report_page.drawing.plots import Plot
from synfiqa.jobs.report_page.trained.operating_points import bounds, figure, interval_text, percent, range_text
from synfiqa.schemas.audit import AuditResult, GroupAudit, GroupCurve, MethodAudit
from synfiqa.schemas.evaluation import Interval, OtherVersion

_FIRST = ("model", "label")
"""Methods that stand first, where they are measured."""

_WITHOUT = "Levels Q0 to Q9 and groups are not shown"


@dataclass(frozen=True)
class Levels:
    """Scores by level: a plot a method, and rows of text (level, images, then median and quartiles of each method)."""

    methods: list[str]
    plots: list[Plot]
    rows: list[tuple[str, str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class GroupRow:
    """One group: counts, share rejected with its interval, and for each FMR pAUC, its interval and its basis."""

    name: str
    identities: str
    images: str
    rejected: str
    rejected_interval: str
    figures: list[tuple[str, str, str]]


@dataclass(frozen=True)
class MethodGroups:
    """One method on all groups; `fmrs` head the columns of pAUC, `notes` name what is left out and why."""

    method: str
    about: str
    fmrs: list[str]
    rows: list[GroupRow]
    plots: list[Plot]
    notes: list[str]


@dataclass(frozen=True)
class Audit:
    """Levels and groups of one model; `judge` verified the pairs, `unknown` counts identities without attributes."""

    judge: str
    reject_share: str
    levels: Levels
    groups: list[MethodGroups]
    unknown: str
    model_sha256: str


def read_audit(storage: Storage, model: str, number: int = 0) -> tuple[Audit | None, str]:
    """Return levels and groups of an evaluated model, or None and the sentence that says what to run.

    `number` is that of the model on the page; ids of the drawings start with it.
    """
    path = f"models/{model}/audit.json"
    again = f"evaluate {model} again to see them (synfiqa evaluate)."
    try:
        document = read_result(storage, path, AuditResult)
    except OtherVersion as error:
        return None, f"{_WITHOUT}: {path} is of {error}; {again}"
    if document is None:
        return None, f"{_WITHOUT}: the evaluation of {model} has no {path}; {again}"
    return _audit(document, f"audit-{number}"), ""


def _audit(document: AuditResult, name: str) -> Audit:
    first = [method for method in _FIRST if method in document.methods]
    ordered = [*first, *(method for method in document.methods if method not in first)]
    methods = {method: document.methods[method] for method in ordered}
    unknown = [f"{kind} of {count:,}" for kind, count in document.without_group.items() if count]
    return Audit(
        judge=document.embedder,
        reject_share=percent(document.reject_share),
        levels=_levels(methods, name),
        groups=[
            _groups(method, found, f"{name}-{at}")
            for at, (method, found) in enumerate(methods.items())
            # What is drawn at random has no groups to compare, and the label is what models learn.
            if found.groups and method not in ("random", "label")
        ],
        unknown=f"Not recorded: {', '.join(unknown)} held-out identities." if unknown else "",
        model_sha256=document.basis.model_sha256,
    )


def _levels(methods: dict[str, MethodAudit], name: str) -> Levels:
    shown = {method: found for method, found in methods.items() if method != "random"}
    plots = []
    for at, (method, found) in enumerate(shown.items()):
        quartiles = {
            level.level: (level.lower, level.median, level.upper)
            for level in found.monotonicity.levels
            if level.lower is not None and level.median is not None and level.upper is not None
        }
        if quartiles:
            plots.append(Plot(level_bars(quartiles, f"{name}-level-{at}", method), method, _order(found)))
    names = [level.level for level in next(iter(shown.values())).monotonicity.levels] if shown else []
    rows = []
    for at, level in enumerate(names):
        cells = [found.monotonicity.levels[at] for found in shown.values()]
        figures = [(figure(cell.median), range_text(cell.lower, cell.upper)) for cell in cells]
        rows.append((level, f"{cells[0].n:,}", figures))
    return Levels(list(shown), plots, rows)


def _order(found: MethodAudit) -> str:
    """Return whether medians ascend with the levels, else where they do not, and Kendall's tau."""
    order = found.monotonicity
    text = "medians ascend" if order.monotone else f"not ascending at {', '.join(order.inversions) or 'some levels'}"
    return text if order.kendall is None else f"{text}; Kendall’s τ {figure(order.kendall, 2)}"


def _groups(method: str, found: MethodAudit, name: str) -> MethodGroups:
    fmrs = sorted({curve.fmr for group in found.groups for curve in group.curves}, reverse=True)
    skipped = [
        f"{group.group}, FMR {percent(entry.fmr)}: {entry.reason}" for group in found.groups for entry in group.skipped
    ]
    valueless = [
        f"{group.group}, FMR {percent(curve.fmr)}: {curve.note}"
        for group in found.groups
        for curve in group.curves
        if curve.note
    ]
    return MethodGroups(
        method=method,
        about=f"Scores of {method} below {found.threshold:.4g} are rejected, {percent(found.rejected)} of all images.",
        fmrs=[f"pAUC at FMR {percent(fmr)}" for fmr in fmrs],
        rows=[_group_row(group, fmrs) for group in found.groups],
        plots=[*(_pauc_plots(found.groups, fmrs[0], name) if fmrs else []), _rejected_plot(found, name)],
        notes=[*skipped, *valueless],
    )


def _group_row(group: GroupAudit, fmrs: list[float]) -> GroupRow:
    by_fmr = {curve.fmr: curve for curve in group.curves}
    return GroupRow(
        name=group.group,
        identities=f"{group.identities:,}",
        images=f"{group.images:,}",
        rejected=percent(group.rejected.share),
        rejected_interval=_share_interval(group.rejected.interval),
        figures=[_curve_cells(by_fmr.get(fmr)) for fmr in fmrs],
    )


def _curve_cells(curve: GroupCurve | None) -> tuple[str, str, str]:
    """Return pAUC, its interval, and what it rests on: F_0, pairs and carriers."""
    if curve is None:
        return "left out", "", ""
    carriers = "" if curve.carriers is None else f", {curve.carriers:,} carriers"
    few = " (few)" if curve.few_carriers else ""
    basis = f"F₀ {percent(curve.fnmr0)}, {curve.n_genuine:,} genuine, {curve.n_impostor:,} impostor{carriers}{few}"
    return figure(curve.pauc), interval_text(curve.interval), basis


def _pauc_plots(groups: list[GroupAudit], fmr: float, name: str) -> list[Plot]:
    """Return the drawing of pAUC by group, none where no group has a value."""
    rows = {
        group.group: ("accent", curve.pauc, *bounds(curve.interval))
        for group in groups
        for curve in group.curves
        if curve.fmr == fmr and curve.pauc is not None
    }
    axis = f"pAUC at FMR {percent(fmr)} with 95 % interval, 1 is chance"
    return [Plot(interval_whiskers(rows, f"{name}-pauc", axis, 1.0), "pAUC inside each group")] if rows else []


def _rejected_plot(found: MethodAudit, name: str) -> Plot:
    rows = {group.group: ("accent", group.rejected.share, *bounds(group.rejected.interval)) for group in found.groups}
    axis = "share rejected with 95 % interval; dashed: all images"
    return Plot(interval_whiskers(rows, f"{name}-rejected", axis, found.rejected), "Rejected by the common threshold")


def _share_interval(interval: Interval | None) -> str:
    low, high = bounds(interval)
    return "" if low is None or high is None else f"{percent(low)} to {percent(high)}"
