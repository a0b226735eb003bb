"""Histograms, bars and curves of the report: plain arrays in, inline SVG out; what all its drawings share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from synfiqa.jobs.report_page.drawing.svg import colour, inline_svg, style

SMALL = (3.5, 2.35)
"""Size in inches of a drawing that shares its row with two others."""

_WIDE = (7.2, 2.3)


@dataclass(frozen=True)
class Plot:
    """A drawing with its title and a short remark beside it, and a sentence below it."""

    svg: Markup
    title: str = ""
    remark: str = ""
    below: str = ""


def quality_histogram(counts: np.ndarray, deciles: np.ndarray) -> Markup:
    """Draw how many labels lie in each of N equal bins of 0..1 (N,), with a faint line at each decile."""
    with style():
        figure, axes = axes_of(_WIDE)
        centres = (np.arange(len(counts)) + 0.5) / len(counts)
        axes.hist(centres, bins=len(counts), range=(0, 1), weights=counts, color=colour("accent"), rwidth=0.86)
        for edge in deciles:
            axes.axvline(edge, color=colour("muted"), linewidth=0.6, linestyle=(0, (2, 3)))
        axes.set(xlim=(0, 1), xlabel="label", ylabel="samples")
        return inline_svg(figure, "histogram", f"Histogram of {int(counts.sum())} labels from 0 to 1")


def component_histogram(values: np.ndarray, name: str, label: str) -> Markup:
    """Draw the distribution of one raw label component (N,)."""
    with style():
        figure, axes = axes_of((3.5, 1.75))
        axes.hist(values[np.isfinite(values)], bins=36, color=colour("accent"), rwidth=0.86)
        axes.set(xlabel=label)
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        return inline_svg(figure, f"component-{name}", f"Histogram of {label}")


def reject_bars(reasons: Mapping[str, int]) -> Markup:
    """Draw how many candidates were rejected for each reason."""
    with style():
        figure, axes = axes_of((4.9, 0.2 + 0.26 * len(reasons)))
        counts = list(reasons.values())
        axes.barh(range(len(counts)), counts, height=0.56, color=colour("accent"))
        for row, count in enumerate(counts):
            axes.text(count + max(counts) * 0.015, row, f"{count:,}", va="center", color=colour("ink"))
        axes.set_yticks(range(len(counts)), [short_name(reason) for reason in reasons])
        axes.set(ylim=(len(counts) - 0.4, -0.6), xlim=(0, max(counts) * 1.12))
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        return inline_svg(figure, "rejects", "Rejected candidates by reason")


def training_curve(series: tuple[Sequence[float], Sequence[float]], name: str, label: str) -> Markup:
    """Draw one quantity over epochs; `series` is (epochs, values)."""
    with style():
        figure, axes = axes_of(SMALL)
        axes.plot(*series, color=colour("accent"), linewidth=1.5, marker="o", markersize=2.6)
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return inline_svg(figure, f"training-{name}", f"{label} per epoch")


def axes_of(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return a figure of this size in inches and its only axes."""
    # Figures are not cropped, so that letters have one size in every plot of a row.
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


def short_name(name: str) -> str:
    """Return a name shortened, because a long one would leave no room for the drawing."""
    words = name.replace("_", " ")
    return words if len(words) <= 24 else words[:23] + "…"
