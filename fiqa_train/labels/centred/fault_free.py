"""Which degraded samples show no fault, so that they stand for their person beside the references."""

import numpy as np

from synfiqa.fiqa_train.labels.severities import COVERED, Severities

LARGEST = {
    **dict.fromkeys(("yaw", "pitch", "roll"), 20.0),
    **dict.fromkeys(("downsample", "blur"), float(np.log(1.1))),
    "motion": 1.0,
    "noise": 3.0,
    "jpeg": float(np.log(95 / 70)),
    "misalignment": 5.0,
    **dict.fromkeys(("dark", "bright"), float(np.log(1.6))),
    "harsh_light": 0.5,
    "harsh_light_aside": 0.4,
    "light_cast": 0.2,
    "near_camera": 1.0,
    **dict.fromkeys(("mouth_open", "smile", "brow_raise", "frown", "pucker", "inner_brow_raise"), 0.6),
    **dict.fromkeys(("squint", "nose_wrinkle", "corners_down", "lips_pressed", "eyes_closed"), 0.6),
    "gaze": 45.0,
    **dict.fromkeys(COVERED, 0.02),
    # Every photograph of the profile camera has some noise, some compression and a measured rest of rotation.
    **dict.fromkeys(("camera_dark", "camera_bright"), float(np.log(1.6))),
    "small_face": float(np.log(35.2 / 24)),
    "camera_noise": 4.0,
    "camera_codec": float(np.log(95 / 70)),
    "tone": float(np.log(1.3)),
    "low_contrast": 0.15,
    "distortion": 0.02,
    "cut": 0.5,
    "crop_turn": 5.0,
}
"""Largest severity of a fault-free sample by factor; 0 for all others, factors of plug-ins among them.

They are below the thresholds at which a report names a factor: a visible fault is not the least one.
"""


def fault_free(severities: Severities) -> np.ndarray:
    """Return bool (N,), True where no severity of a sample exceeds that of a fault-free one."""
    below = [values <= np.float32(LARGEST.get(name, 0.0)) for name, values in severities.items()]
    free: np.ndarray = np.logical_and.reduce(below)
    return free
