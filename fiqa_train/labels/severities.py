"""Severity of each factor in a sample, a number from 0 up: commanded by the recipe, or measured on the rendering."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.schemas.recipe import Expression
from synfiqa.schemas.rows import REGIONS

NEAR_BELOW = 4.0
"""Distance in head heights below which a camera counts as near, because of perspective distortion."""
FINE_JPEG = 95
"""JPEG quality of severity 0."""

_EXPRESSIONS = tuple(Expression.model_fields)
COVERED = tuple(f"covered_{region}" for region in REGIONS)
"""The eight regions of `occluded_regions` as single columns, and factors of the same names."""
_REGIONS = "occluded_regions"
_PLAIN = (
    *("measured_yaw", "pitch", "roll", "downsample", "blur", "motion", "noise", "jpeg_quality"),
    *("light_exposure", "light_harshness", "light_azimuth", "light_cast", "camera_distance", "misalignment"),
    *_EXPRESSIONS,
    *("gaze_yaw", "gaze_pitch"),
)

COLUMNS = (*_PLAIN, _REGIONS)
"""Columns of a sample from which its severities are computed."""
FLAT_COLUMNS = (*_PLAIN, *COVERED)
"""`COLUMNS` with the regions as single columns."""

FACTORS = (
    *("yaw", "pitch", "roll", "downsample", "blur", "motion", "noise", "jpeg", "dark", "bright"),
    *("harsh_light", "harsh_light_aside", "light_cast", "near_camera", "misalignment"),
    *_EXPRESSIONS,
    *("gaze", *COVERED),
)
"""Names of the severities."""

Severities = Mapping[str, np.ndarray]
"""Factor -> float32 (N,), 0 for no degradation and increasing with it; all of `FACTORS`."""


def flat_columns(samples: pa.Table) -> dict[str, np.ndarray]:
    """Return `FLAT_COLUMNS` of sample rows (columns `COLUMNS`) as float32 (N,), NaN for null."""
    columns = {name: samples[name] for name in _PLAIN}
    columns |= {name: pc.struct_field(samples[_REGIONS], region) for name, region in zip(COVERED, REGIONS, strict=True)}
    return {name: column.cast(pa.float32()).to_numpy().astype(np.float32) for name, column in columns.items()}


def severities(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the severity of each of `FACTORS` in N samples, float32 (N,), from their `FLAT_COLUMNS`.

    Angles in degrees, factors and gains as logarithms, lengths and noise as in the recipe, strengths and shares 0..1. A
    null has severity 0, such as the covered share of a region that is turned away.
    """
    one = {name: np.asarray(columns[name], np.float32) for name in FLAT_COLUMNS}
    gain = np.log(one["light_exposure"])
    aside = np.abs(np.sin(np.radians(one["light_azimuth"])))
    found = {
        "yaw": np.abs(one["measured_yaw"]),
        "pitch": np.abs(one["pitch"]),
        "roll": np.abs(one["roll"]),
        "downsample": np.log(one["downsample"]),
        "blur": np.log(one["blur"]),
        "motion": one["motion"],
        "noise": one["noise"],
        "jpeg": np.log(FINE_JPEG / one["jpeg_quality"]),
        "dark": -gain,
        "bright": gain,
        "harsh_light": one["light_harshness"],
        "harsh_light_aside": one["light_harshness"] * aside,
        "light_cast": one["light_cast"],
        "near_camera": NEAR_BELOW - one["camera_distance"],
        "misalignment": np.abs(one["misalignment"]),
        "gaze": np.hypot(one["gaze_yaw"], one["gaze_pitch"]),
        **{name: one[name] for name in (*_EXPRESSIONS, *COVERED)},
    }
    # fmax of a number and NaN is the number.
    return {name: np.fmax(found[name], np.float32(0)) for name in FACTORS}
