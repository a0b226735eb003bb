"""Drawings of an evaluation: error-versus-discard curves, intervals, and scores by level of the label."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator, PercentFormatter

from synfiqa.jobs.report_page.drawing.plots import SMALL, axes_of, short_name
from synfiqa.jobs.report_page.drawing.svg import colour, inline_svg, style

_LARGE = (4.6, 2.9)


def edc_curves(
    curves: Mapping[str, tuple[str, Sequence[float], np.ndarray]], limit: float, steps: bool, name: str
) -> Markup:
    """Draw FNMR against the discarded share, as steps or lines; `curves` maps a method to (colour, discard, FNMR)."""
    with style():
        figure, axes = axes_of(_LARGE)
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


type Whiskers = Mapping[str, tuple[str, float, float | None, float | None]]
"""By name of a row: colour role, value, and the ends of its interval, None without one."""


def interval_whiskers(rows: Whiskers, name: str, axis: str, line: float) -> Markup:
    """Draw values with their intervals, one row each, beside a dashed line at a value to compare with."""
    with style():
        figure, axes = axes_of((_LARGE[0], 0.55 + 0.26 * len(rows)))
        axes.axvline(line, color=colour("muted"), linewidth=0.8, linestyle=(0, (3, 2)))
        for row, (role, value, low, high) in enumerate(rows.values()):
            if low is not None and high is not None:
                axes.plot([low, high], [row, row], color=colour(role), linewidth=2, solid_capstyle="round")
            axes.plot([value], [row], marker="o", markersize=5.5, color=colour(role))
        axes.set_yticks(range(len(rows)), [short_name(method) for method in rows])
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel=axis)
        return inline_svg(figure, name, f"{axis}: {', '.join(rows)}")


def level_bars(levels: Mapping[str, tuple[float, float, float]], name: str, label: str) -> Markup:
    """Draw quartiles of scores at each level: bar from the first to the third, median as a line through the levels.

    `levels` maps a level to (first quartile, median, third quartile).
    """
    with style():
        figure, axes = axes_of(SMALL)
        places = range(len(levels))
        first, median, third = np.array(list(levels.values()), float).reshape(-1, 3).T
        axes.bar(places, third - first, bottom=first, width=0.62, color=colour("accent-soft"))
        axes.plot(places, median, color=colour("ink"), linewidth=1.4, marker="o", markersize=3.2)
        axes.set_xticks(places, list(levels))
        axes.set(xlabel="level of the label, Q0 worst", ylabel="score")
        axes.set_ylim(*_around(first.min(), third.max()))
        return inline_svg(figure, name, f"Scores of {label} by level of the label")


def _around(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin
