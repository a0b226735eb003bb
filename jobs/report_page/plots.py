"""Every drawing of the report: plain arrays in, inline SVG out. Quiet axes, one accent, names only where they help."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from synfiqa.jobs.report_page.svg import colour, inline_svg, style

POINT_LIMIT = 700
"""Most points of a scatter plot."""

_SMALL = (3.5, 2.35)
_WIDE = (9.6, 2.5)
_LARGE = (5.3, 3.4)


def quality_histogram(counts: np.ndarray, deciles: np.ndarray) -> Markup:
    """Draw how many labels lie in each of N equal bins of 0..1 (N,), with a faint line at each decile."""
    with style():
        figure, axes = _axes(_WIDE)
        centres = (np.arange(len(counts)) + 0.5) / len(counts)
        axes.hist(centres, bins=len(counts), range=(0, 1), weights=counts, color=colour("accent"), rwidth=0.86)
        for edge in deciles:
            axes.axvline(edge, color=colour("muted"), linewidth=0.6, linestyle=(0, (2, 3)))
        axes.set(xlim=(0, 1), xlabel="label", ylabel="samples")
        return inline_svg(figure, "histogram", f"Histogram of {int(counts.sum())} labels from 0 to 1")


def component_histogram(values: np.ndarray, name: str, label: str) -> Markup:
    """Draw the distribution of one raw label component (N,)."""
    with style():
        figure, axes = _axes((3.5, 1.75))
        axes.hist(values[np.isfinite(values)], bins=36, color=colour("accent"), rwidth=0.86)
        axes.set(xlabel=label)
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        return inline_svg(figure, f"component-{name}", f"Histogram of {label}")


def factor_scatter(factor: np.ndarray, quality: np.ndarray, name: str, label: str) -> Markup:
    """Draw labels against a continuous factor, both (N,), with the median of eight equally filled bins."""
    known = np.isfinite(factor) & np.isfinite(quality)
    factor, quality = factor[known], quality[known]
    shown = np.linspace(0, len(factor) - 1, min(len(factor), POINT_LIMIT)).astype(int)
    with style():
        figure, axes = _axes(_SMALL)
        axes.scatter(factor[shown], quality[shown], s=7, color=colour("accent"), alpha=0.32, linewidths=0)
        centres, medians = _running_median(factor, quality)
        axes.plot(centres, medians, color=colour("ink"), linewidth=1.4)
        axes.set(xlabel=label, ylabel="label", ylim=(-0.03, 1.03))
        return inline_svg(figure, f"factor-{name}", f"Label against {label}")


def _running_median(factor: np.ndarray, quality: np.ndarray, bins: int = 8) -> tuple[list[float], list[float]]:
    order = np.argsort(factor, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [float(np.median(factor[part])) for part in parts], [float(np.median(quality[part])) for part in parts]


def factor_boxes(groups: Mapping[str, np.ndarray], name: str, label: str) -> Markup:
    """Draw the labels of each category as 5-95 % line, quartile bar and median, in the given order from the top."""
    with style():
        figure, axes = _axes((_SMALL[0], max(_SMALL[1], 0.6 + 0.17 * len(groups))))
        names = list(groups)
        for row, values in enumerate(groups.values()):
            low, first, median, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
            axes.plot([low, high], [row, row], color=colour("accent"), linewidth=0.9, solid_capstyle="round")
            axes.barh(row, third - first, left=first, height=0.46, color=colour("accent-soft"))
            axes.plot([median, median], [row - 0.23, row + 0.23], color=colour("ink"), linewidth=1.6)
        axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="label")
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        return inline_svg(figure, f"factor-{name}", f"Labels by {label}")


def reject_bars(reasons: Mapping[str, int]) -> Markup:
    """Draw how many candidates were rejected for each reason."""
    with style():
        figure, axes = _axes((6.4, 0.2 + 0.3 * len(reasons)))
        counts = list(reasons.values())
        axes.barh(range(len(counts)), counts, height=0.56, color=colour("accent"))
        for row, count in enumerate(counts):
            axes.text(count + max(counts) * 0.015, row, f"{count:,}", va="center", color=colour("ink"))
        axes.set_yticks(range(len(counts)), [_short(reason) for reason in reasons])
        axes.set(ylim=(len(counts) - 0.4, -0.6), xlim=(0, max(counts) * 1.12))
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        return inline_svg(figure, "rejects", "Rejected candidates by reason")


def training_curve(series: tuple[Sequence[float], Sequence[float]], name: str, label: str) -> Markup:
    """Draw one quantity over epochs; `series` is (epochs, values)."""
    with style():
        figure, axes = _axes(_SMALL)
        axes.plot(*series, color=colour("accent"), linewidth=1.5, marker="o", markersize=2.6)
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return inline_svg(figure, f"training-{name}", f"{label} per epoch")


def edc_curves(
    curves: Mapping[str, tuple[str, Sequence[float], np.ndarray]], limit: float, steps: bool, name: str
) -> Markup:
    """Draw FNMR against the discarded share, as steps or lines; `curves` maps a method to (colour, discard, FNMR)."""
    with style():
        figure, axes = _axes(_LARGE)
        axes.axvspan(0, limit, color=colour("accent-soft"), alpha=0.22, linewidth=0)
        for role, discard, fnmr in reversed(list(curves.values())):
            dashes = (0, (3, 2)) if role == "muted" else "-"
            width, shape = (2.2 if role == "accent" else 1.4), ("steps-post" if steps else "default")
            axes.plot(discard, fnmr, color=colour(role), linewidth=width, linestyle=dashes, drawstyle=shape)
        axes.set(xlim=(0, 0.95), ylim=(0, None), xlabel="discarded share, lowest quality first", ylabel="FNMR")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        description = f"Error versus discard of {', '.join(curves)}"
        return inline_svg(figure, name, description)


def pauc_intervals(rows: Mapping[str, tuple[str, float, float | None, float | None]], name: str) -> Markup:
    """Draw pAUC with its interval; `rows` maps a method to (colour role, pAUC, low, high). 1 is chance."""
    with style():
        figure, axes = _axes((5.3, 0.55 + 0.3 * len(rows)))
        axes.axvline(1, color=colour("muted"), linewidth=0.8, linestyle=(0, (3, 2)))
        for row, (role, value, low, high) in enumerate(rows.values()):
            if low is not None and high is not None:
                axes.plot([low, high], [row, row], color=colour(role), linewidth=2, solid_capstyle="round")
            axes.plot([value], [row], marker="o", markersize=5.5, color=colour(role))
        axes.set_yticks(range(len(rows)), [_short(method) for method in rows])
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="pAUC, lower is better, 1 is chance")
        return inline_svg(figure, name, f"pAUC of {', '.join(rows)}")


def _axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    # Figures are not cropped, so that letters have one size in every plot of a row.
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


def _short(name: str) -> str:
    """Return a name shortened, because a long one would leave no room for the drawing."""
    words = name.replace("_", " ")
    return words if len(words) <= 24 else words[:23] + "…"
