"""Draws the label against each factor of a sample, and the distributions of the raw components."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from scipy.stats import spearmanr

from synfiqa.jobs.report_page.data import EXPRESSIONS, drawn_columns
from synfiqa.jobs.report_page.drawing.factor_drawings import LINE_FROM, factor_boxes, factor_curve
from synfiqa.jobs.report_page.drawing.plots import Plot, component_histogram
from synfiqa.schemas.config.learn import Spatial
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.factors.face import EXPRESSION
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.recipe import PLUGINS, column_of
from synfiqa.schemas.rows import SCORE_PREFIX

VISIBLE = EXPRESSION.thresholds["visible"]
"""Strength from which an expression unit counts as an expression; recipes draw visible ones from 0.3 on."""

_COMPONENTS = (
    ("recognition", Markup("Recognition <var>f<sub>r</sub></var>"), "cosine to the mean reference"),
    ("spatial", Markup("Spatial <var>s<sub>d</sub></var>"), ""),
    ("vision_language", Markup("Vision-language <var>v<sub>l</sub></var>"), "cosine to the reference caption"),
)


_CATEGORIES = {
    "occluder": ("Occluder", ""),
    "background": ("Background", ""),
    "expression": ("Expression", "strongest unit"),
}
"""Factors whose values are kinds: title and remark of the plot."""

_SPATIAL = {"ranks": "worst of three ranks, 0 to 1", "costs": "1 less the costs of all factors"}

_EXPOSURE = "light_exposure"


def commanded(config: RunConfig) -> frozenset[str]:
    """Return the factors that the samples of a run were made with; the columns of all others hold defaults.

    Under diffusion the template sets expression and light, which are not measured, and the prompt sets occlusion.
    """
    drawn = config.generate.degraded_distribution
    rendered = config.models.conditional_kind.commands_recipe
    scaled = any(
        high > 1 and weight for (_, high), weight in zip(drawn.scale_intervals, drawn.scale_weights, strict=True)
    )
    corrected, camera = config.generate.profile == "corrected", config.generate.profile == "camera"
    scaled = scaled and not camera
    faults = {
        row.column: (corrected or (camera and row.where == "render" and row.fault.draw != "exposure"))
        and getattr(drawn, row.fault.rate) > 0
        and (rendered or row.where != "render")
        for row in FACTORS
        if row.fault
    }
    varies = {
        "measured_yaw": not rendered or drawn.yaw_std > 0,
        "pitch": rendered and drawn.pitch_std > 0,
        "roll": rendered and drawn.roll_std > 0,
        **dict.fromkeys(("gaze", "background"), rendered),
        "downsample": scaled,
        "blur": scaled,
        **faults,
        # Dark images are noisy.
        "noise": faults["noise"] or faults[_EXPOSURE],
        "light_harshness": rendered,
        _EXPOSURE: rendered,
        "camera_distance": rendered and (corrected or camera),
        "jpeg_quality": (drawn.jpeg_quality[0] < drawn.jpeg_quality[1] and not camera)
        or (corrected and drawn.jpeg_rate > 0),
        "occluder": rendered and drawn.occluder_rate > 0,
        "expression": rendered and drawn.expression_rate > 0,
        **{
            column_of(f"{PLUGINS}.{name}"): (corrected or camera) and one.rate > 0
            for name, one in config.generate.factors.items()
        },
        **{row.column: camera for row in CAMERA_FACTORS},
    }
    return frozenset(factor for factor, does in varies.items() if does)


def factor_plots(degraded: pd.DataFrame, factors: Collection[str], plugged: Sequence[Factor] = ()) -> list[Plot]:
    """Draw `quality` of degraded samples against these factors (see `commanded`); `plugged` are rows of plug-ins."""
    degraded = degraded.dropna(subset=["quality"])
    if degraded.empty:
        return []
    quality = degraded["quality"].to_numpy(float)
    plots = [
        _curve(row, degraded, quality)
        for row in (*FACTORS, *plugged)
        if row.column in factors and row.column not in _CATEGORIES and (row.shown or row.severities)
    ]
    for column, (title, remark) in _CATEGORIES.items():
        if column in factors:
            names = expressions(degraded) if column == "expression" else _text(degraded[column])
            plots.append(Plot(factor_boxes(_by_category(names, quality), column, column), title, remark))
    return plots


def _curve(row: Factor, degraded: pd.DataFrame, quality: np.ndarray) -> Plot:
    if row.shown:
        values, axis = np.abs(_measured(degraded[row.column].to_numpy(float), row.column)), row.shown.axis
        neutral = None if isinstance(row.neutral, str) else float(abs(_measured(np.array(row.neutral), row.column)))
    else:
        # A factor of several columns, such as gaze, is drawn by its severity, which is 0 without it.
        severity = row.severities[0]
        values = np.asarray(severity.of(*(degraded[column].to_numpy(float) for column in drawn_columns(row))), float)
        axis, neutral = f"{row.title.lower()}, {row.unit}", 0.0
    usual, word = _usual(values, neutral)
    drawing = factor_curve(values, quality, usual, row.column, axis)
    return Plot(drawing, row.title, *_remarks(values, quality, usual, word))


def _usual(values: np.ndarray, neutral: float | None) -> tuple[float | None, str]:
    """Return the neutral value where samples have it, else the one that half of them share, with the word for it."""
    known = values[np.isfinite(values)]
    if neutral is not None and np.isclose(known, neutral).any():
        return neutral, "neutral"
    found, counts = np.unique(known, return_counts=True)
    if len(found) > 1 and 2 * counts.max() >= len(known):
        return float(found[counts.argmax()]), "usual"
    return None, ""


def _remarks(values: np.ndarray, quality: np.ndarray, usual: float | None, word: str) -> tuple[str, str]:
    """Return the correlation over the samples that have the factor, and a sentence on those at its usual value."""
    known = np.isfinite(values)
    values, quality = values[known], quality[known]
    without = np.zeros(len(values), bool) if usual is None else np.isclose(values, usual)
    strength, own = values[~without], quality[~without]
    parts = []
    if without.any():
        share = _percent(int(without.sum()), len(values))
        parts.append(f"{share} of {len(values):,} samples are at the {word} value {usual:g}")
    if 0 < len(strength) < LINE_FROM:
        parts.append(f"{len(strength)} {'others' if parts else 'samples'} are too few for a line")
    return _correlation(strength, own), "; ".join(parts) + ("." if parts else "")


def score_plots(degraded: pd.DataFrame) -> list[Plot]:
    """Draw the distribution of the scores of each of `models.scorers`, with the rank correlation with the label."""
    columns = [str(name) for name in degraded.columns if str(name).startswith(SCORE_PREFIX)]
    known = degraded[degraded["quality"].notna()]
    return [
        Plot(
            component_histogram(degraded[column].to_numpy(float), column, "score"),
            column.removeprefix(SCORE_PREFIX),
            _correlation(known[column].to_numpy(float), known["quality"].to_numpy(float)),
        )
        for column in columns
    ]


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


def _text(names: pd.Series) -> np.ndarray:
    return names.fillna("unknown").to_numpy(str)


def _measured(values: np.ndarray, column: str) -> np.ndarray:
    """Return a factor as it is drawn; exposure counts in stops, for half and double the light are equally wrong."""
    return np.log2(values) if column == _EXPOSURE else values


def _by_category(names: np.ndarray, quality: np.ndarray) -> dict[str, np.ndarray]:
    """Group labels by name, highest median first."""
    groups = {str(name): quality[names == name] for name in np.unique(names)}
    ranked = sorted(groups.items(), key=lambda item: (-float(np.median(item[1])), item[0]))
    return dict(ranked)


def _correlation(factor: np.ndarray, quality: np.ndarray) -> str:
    if np.unique(factor).size < 2 or np.unique(quality).size < 2:
        return ""
    return f"ρ = {spearmanr(factor, quality).statistic:.2f}".replace("-", "−")


def _percent(part: int, whole: int) -> str:
    """Return a share in percent, never rounded to none or all of the samples."""
    return f"{min(max(100 * part / whole, 1), 99 if part < whole else 100):.0f} %"
