"""OFIQ's components of a sample as its recipe and its rendering state them, by the functions of ISO/IEC 29794-5.

These are the components whose native value a run knows: angles of the head and hidden shares of the face. Others, such
as Sharpness, come from networks of OFIQ that the run does not have, and are left at -1.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.schemas.factors import FACTORS

# The factor of the aligner: it takes the head's own roll out of a crop, so that the roll left is its error.
_LEFT_ROLL = next(
    severity.columns[0]
    for factor in FACTORS
    if factor.where == "aligner"
    for severity in factor.severities
    if "HeadPoseRoll" in severity.ofiq
)
COLUMNS = ("yaw", "measured_yaw", "pitch", _LEFT_ROLL, "occluded_fraction", "occluded_regions")
"""Columns of samples that the components are computed from."""


def commanded(samples: pa.Table) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return native values and scalars 0..100, float64 (N,) by component, NaN where they are not known.

    Yaw is the measured one, else the commanded one; roll is the error of alignment. Hidden shares are unknown where
    the regions are, as in diffusion samples.
    """
    regions = samples["occluded_regions"]
    known = regions.is_valid().to_numpy(zero_copy_only=False)
    measured, yaw = _floats(samples["measured_yaw"]), _floats(samples["yaw"])
    eyes = np.stack([_floats(pc.struct_field(regions, f"{side}_eye")) for side in ("left", "right")])
    seen = np.isfinite(eyes)
    # Of an eye that the pose hides nothing can be said; the other one stands for both.
    shown = np.where(seen.any(axis=0), np.where(seen, eyes, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), np.nan)
    native = {
        "EyesVisible": np.where(known, shown, np.nan),
        "MouthOcclusionPrevention": np.where(known, _floats(pc.struct_field(regions, "mouth")), np.nan),
        "FaceOcclusionPrevention": np.where(known, _floats(samples["occluded_fraction"]), np.nan),
        "HeadPoseYaw": np.where(np.isfinite(measured), measured, yaw),
        "HeadPosePitch": _floats(samples["pitch"]),
        "HeadPoseRoll": _floats(samples[_LEFT_ROLL]),
    }
    return native, {name: np.clip(np.rint(SCALARS[name](values)), 0, 100) for name, values in native.items()}


def _angle(degrees: np.ndarray) -> np.ndarray:
    facing: np.ndarray = 100 * np.maximum(0, np.cos(np.radians(degrees))) ** 2
    return facing


def _free(hidden: np.ndarray) -> np.ndarray:
    return 100 * (1 - hidden)


SCALARS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "EyesVisible": _free,
    "MouthOcclusionPrevention": _free,
    "FaceOcclusionPrevention": _free,
    "HeadPoseYaw": _angle,
    "HeadPosePitch": _angle,
    "HeadPoseRoll": _angle,
}
"""Function from the native value to the scalar of each component, before rounding."""


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    values: np.ndarray = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values
