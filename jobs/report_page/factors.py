"""Draws the label against each factor of a sample, and the distributions of the raw components."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from scipy.stats import spearmanr

from synfiqa.jobs.report_page.data import EXPRESSIONS
from synfiqa.jobs.report_page.plots import component_histogram, factor_boxes, factor_scatter
from synfiqa.schemas.config.learn import Spatial
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.face import EXPRESSION
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.recipe import PLUGINS, column_of

VISIBLE = EXPRESSION.thresholds["shown"]
"""Strength from which an expression unit counts as an expression; recipes draw visible ones from 0.3 on."""

_COMPONENTS = (
    ("recognition", Markup("Recognition <var>f<sub>r</sub></var>"), "cosine to the mean reference"),
    ("spatial", Markup("Spatial <var>s<sub>d</sub></var>"), ""),
    ("vision_language", Markup("Vision-language <var>v<sub>l</sub></var>"), "cosine to the reference caption"),
)


_SPATIAL = {"ranks": "worst of three ranks, 0 to 1", "costs": "1 less the costs of all factors"}


@dataclass(frozen=True)
class Plot:
    """A drawing with its title and a short remark."""

    svg: Markup
    title: str = ""
    remark: str = ""


def commanded(config: RunConfig) -> frozenset[str]:
    """Return the factors that the samples of a run were made with; the columns of all others hold defaults.

    Under diffusion the template sets expression and light, which are not measured, and the prompt sets occlusion.
    """
    drawn = config.generate.degraded_distribution
    rendered = config.models.conditional_kind.commands_recipe
    scaled = any(
        high > 1 and weight for (_, high), weight in zip(drawn.scale_intervals, drawn.scale_weights, strict=True)
    )
    corrected = config.generate.profile == "corrected"
    faults = {
        row.column: corrected and getattr(drawn, row.fault.rate) > 0 and (rendered or row.where != "render")
        for row in FACTORS
        if row.fault
    }
    varies = {
        "measured_yaw": not rendered or drawn.yaw_std > 0,
        "downsample": scaled,
        "blur": scaled,
        **faults,
        # Dark images are noisy.
        "noise": faults["noise"] or faults["light_exposure"],
        "light_harshness": rendered,
        "light_exposure": rendered,
        "camera_distance": rendered and corrected,
        "jpeg_quality": drawn.jpeg_quality[0] < drawn.jpeg_quality[1] or (corrected and drawn.jpeg_rate > 0),
        "occluder": rendered and drawn.occluder_rate > 0,
        "expression": rendered and drawn.expression_rate > 0,
        **{column_of(f"{PLUGINS}.{name}"): corrected and one.rate > 0 for name, one in config.generate.factors.items()},
    }
    return frozenset(factor for factor, does in varies.items() if does)


def factor_plots(degraded: pd.DataFrame, factors: Collection[str], plugged: Sequence[Factor] = ()) -> list[Plot]:
    """Draw `quality` of degraded samples against these factors (see `commanded`); `plugged` are rows of plug-ins."""
    degraded = degraded.dropna(subset=["quality"])
    if degraded.empty:
        return []
    quality = degraded["quality"].to_numpy(float)
    plots = []
    for row in (*FACTORS, *plugged):
        if row.shown is None or row.column not in factors:
            continue
        values = np.abs(_measured(degraded, row.column))
        drawing = factor_scatter(values, quality, row.column, row.shown.axis)
        plots.append(Plot(drawing, row.title, _correlation(values, quality)))
    if "occluder" in factors:
        occluder = degraded["occluder"].fillna("unknown").to_numpy(str)
        plots.append(Plot(factor_boxes(_by_category(occluder, quality), "occluder", "occluder"), "Occluder"))
    if "expression" in factors:
        expression = _by_category(expressions(degraded), quality)
        plots.append(Plot(factor_boxes(expression, "expression", "expression"), "Expression", "strongest unit"))
    return plots


def component_plots(degraded: pd.DataFrame, spatial: Spatial) -> list[Plot]:
    """Draw the distribution of each label component that the samples have; `spatial` is how s_d was computed."""
    return [
        Plot(component_histogram(degraded[column].to_numpy(float), column, label or _SPATIAL[spatial]), title)
        for column, title, label in _COMPONENTS
        if degraded[column].notna().any()
    ]


def expressions(samples: pd.DataFrame) -> np.ndarray:
    """Return the strongest expression unit of each sample by name, `neutral` where none is visible."""
    units = samples[list(EXPRESSIONS)].fillna(0).to_numpy(float)
    strongest = np.array(EXPRESSIONS)[units.argmax(axis=1)]
    return np.where(units.max(axis=1) < VISIBLE, "neutral", strongest)


def _measured(samples: pd.DataFrame, column: str) -> np.ndarray:
    """Return a factor as it is drawn; exposure counts in stops, for half and double the light are equally wrong."""
    values = samples[column].to_numpy(float)
    return np.log2(values) if column == "light_exposure" else values


def _by_category(names: np.ndarray, quality: np.ndarray) -> dict[str, np.ndarray]:
    """Group labels by name, highest median first."""
    groups = {str(name): quality[names == name] for name in np.unique(names)}
    ranked = sorted(groups.items(), key=lambda item: (-float(np.median(item[1])), item[0]))
    return dict(ranked)


def _correlation(factor: np.ndarray, quality: np.ndarray) -> str:
    known = np.isfinite(factor)
    if np.unique(factor[known]).size < 2 or np.unique(quality[known]).size < 2:
        return ""
    return f"ρ = {spearmanr(factor[known], quality[known]).statistic:.2f}".replace("-", "−")
