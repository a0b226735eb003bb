"""Drawings of labels against one factor: a median line with quartile band, or a bar for each category."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from synfiqa.jobs.report_page.drawing.plots import SMALL, axes_of, short_name
from synfiqa.jobs.report_page.drawing.svg import colour, inline_svg, style

POINT_LIMIT = 700
"""Most points of a scatter plot."""

LINE_FROM = 30
"""Least samples with a factor that get a line: three bins."""

_MOST_BINS, _BIN_SIZE = 8, 10


@dataclass(frozen=True)
class Quartiles:
    """Quartiles of labels in equally filled bins of a factor, all of one length; empty where samples are too few."""

    centres: list[float]
    first: list[float]
    median: list[float]
    third: list[float]


def binned_quartiles(factor: np.ndarray, quality: np.ndarray) -> Quartiles:
    """Return the quartiles of labels in up to eight equally filled bins of a factor, both (N,) and finite.

    Empty with fewer than `LINE_FROM` samples; equal values of the factor share a bin.
    """
    if len(factor) < LINE_FROM:
        return Quartiles([], [], [], [])
    bins = min(_MOST_BINS, len(factor) // _BIN_SIZE)
    edges = np.unique(np.quantile(factor, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, factor, side="left")
    parts = [place == number for number in range(len(edges) + 1) if (place == number).any()]
    first, median, third = np.array([np.quantile(quality[part], [0.25, 0.5, 0.75]) for part in parts]).T.tolist()
    return Quartiles([float(np.median(factor[part])) for part in parts], first, median, third)


def factor_curve(factor: np.ndarray, quality: np.ndarray, usual: float | None, name: str, label: str) -> Markup:
    """Draw labels against a factor, both (N,): median line and quartile band over the samples that have the factor.

    Samples at the usual value, None where there is no such value, are one grey mark: their median and quartiles.
    """
    known = np.isfinite(factor) & np.isfinite(quality)
    factor, quality = factor[known], quality[known]
    without = np.zeros(len(factor), bool) if usual is None else np.isclose(factor, usual)
    strength, own = factor[~without], quality[~without]
    shown = np.linspace(0, len(own) - 1, min(len(own), POINT_LIMIT)).astype(int)
    with style():
        figure, axes = axes_of(SMALL)
        axes.scatter(strength[shown], own[shown], s=7, color=colour("accent"), alpha=0.32, linewidths=0)
        line = binned_quartiles(strength, own)
        axes.fill_between(line.centres, line.first, line.third, color=colour("accent-soft"), alpha=0.6, linewidth=0)
        single = "o" if len(line.centres) == 1 else None
        axes.plot(line.centres, line.median, color=colour("ink"), linewidth=1.6, marker=single, markersize=4)
        if without.any() and usual is not None:
            first, median, third = np.quantile(quality[without], [0.25, 0.5, 0.75])
            axes.plot([usual, usual], [first, third], color=colour("muted"), linewidth=3, solid_capstyle="round")
            axes.plot([usual], [median], marker="o", markersize=5.5, color=colour("muted"))
        axes.set(xlabel=label, ylabel="label", ylim=(-0.03, 1.03))
        return inline_svg(figure, f"factor-{name}", f"Label against {label}")


def factor_boxes(groups: Mapping[str, np.ndarray], name: str, label: str) -> Markup:
    """Draw the labels of each category as 5-95 % line, quartile bar and median, in the given order from the top."""
    with style():
        figure, axes = axes_of((SMALL[0], max(SMALL[1], 0.6 + 0.17 * len(groups))))
        names = list(groups)
        for row, values in enumerate(groups.values()):
            low, first, median, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
            axes.plot([low, high], [row, row], color=colour("accent"), linewidth=0.9, solid_capstyle="round")
            axes.barh(row, third - first, left=first, height=0.46, color=colour("accent-soft"))
            axes.plot([median, median], [row - 0.23, row + 0.23], color=colour("ink"), linewidth=1.6)
        axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="label")
        axes.set_yticks(range(len(names)), [short_name(name) for name in names])
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        return inline_svg(figure, f"factor-{name}", f"Labels by {label}")
