"""How strongly each factor harms a sample, as numbers from 0 up: what its recipe commands and what is known exactly."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.schemas.recipe import Expression
from synfiqa.schemas.rows import REGIONS

NEAR_BELOW = 4.0
"""Head heights from which a camera counts as near: closer by, the lens shows."""
FINE_JPEG = 95
"""JPEG quality that harms nothing."""

_EXPRESSIONS = tuple(Expression.model_fields)
COVERED = tuple(f"covered_{region}" for region in REGIONS)
"""The eight regions of `occluded_regions` one by one: columns, and factors of that name."""
_REGIONS = "occluded_regions"
_PLAIN = (
    *("measured_yaw", "pitch", "roll", "downsample", "blur", "motion", "noise", "jpeg_quality"),
    *("light_exposure", "light_harshness", "light_azimuth", "light_cast", "camera_distance", "misalignment"),
    *_EXPRESSIONS,
    *("gaze_yaw", "gaze_pitch"),
)

COLUMNS = (*_PLAIN, _REGIONS)
"""The columns of a sample that its severities are made of."""
FLAT_COLUMNS = (*_PLAIN, *COVERED)
"""The same with the regions one by one."""

FACTORS = (
    *("yaw", "pitch", "roll", "downsample", "blur", "motion", "noise", "jpeg", "dark", "bright"),
    *("harsh_light", "harsh_light_aside", "light_cast", "near_camera", "misalignment"),
    *_EXPRESSIONS,
    *("gaze", *COVERED),
)
"""Names of the severities."""

Severities = Mapping[str, np.ndarray]
"""Factor -> float32 (N,), 0 for what harms nothing and growing with the harm; all of `FACTORS`."""


def flat_columns(samples: pa.Table) -> dict[str, np.ndarray]:
    """Return `FLAT_COLUMNS` of sample rows (columns `COLUMNS`) as float32 (N,), NaN for null."""
    columns = {name: samples[name] for name in _PLAIN}
    columns |= {name: pc.struct_field(samples[_REGIONS], region) for name, region in zip(COVERED, REGIONS, strict=True)}
    return {name: column.cast(pa.float32()).to_numpy().astype(np.float32) for name, column in columns.items()}


def severities(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return how strongly each of `FACTORS` harms N samples, float32 (N,), from their `FLAT_COLUMNS`.

    Angles in degrees, factors and gains as logarithms, lengths and noise as in the recipe, strengths and shares 0..1. A
    null harms nothing: nobody knows of it, as of the covered share of a region that is turned away.
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
    # fmax takes the number of a number and NaN.
    return {name: np.fmax(found[name], np.float32(0)) for name in FACTORS}
