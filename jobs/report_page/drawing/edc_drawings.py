"""Drawings of error-versus-discard curves and of the pAUC with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import PercentFormatter

from synfiqa.jobs.report_page.drawing.plots import axes_of, short_name
from synfiqa.jobs.report_page.drawing.svg import colour, inline_svg, style

_LARGE = (5.3, 3.2)


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


def pauc_intervals(rows: Mapping[str, tuple[str, float, float | None, float | None]], name: str) -> Markup:
    """Draw pAUC with its interval; `rows` maps a method to (colour role, pAUC, low, high). 1 is chance."""
    with style():
        figure, axes = axes_of((5.3, 0.55 + 0.3 * len(rows)))
        axes.axvline(1, color=colour("muted"), linewidth=0.8, linestyle=(0, (3, 2)))
        for row, (role, value, low, high) in enumerate(rows.values()):
            if low is not None and high is not None:
                axes.plot([low, high], [row, row], color=colour(role), linewidth=2, solid_capstyle="round")
            axes.plot([value], [row], marker="o", markersize=5.5, color=colour(role))
        axes.set_yticks(range(len(rows)), [short_name(method) for method in rows])
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="pAUC with 95 % interval, lower is better, 1 is chance")
        return inline_svg(figure, name, f"pAUC of {', '.join(rows)}")
