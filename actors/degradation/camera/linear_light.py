"""The tone curve of the renderer, forward and back: linear light in float32, display values in 0..255.

Light 1 is a white surface in the light of a portrait. Up to 0.75 the curve is gamma 2.2; above it light approaches
white without clipping (`synfiqa.actors.face3d.render.lighting.develop`).
"""

from functools import cache

import cv2
import numpy as np

KNEE = 0.75
"""Light above which the curve has a shoulder."""
GAMMA = 2.2
_WHITE = 254.75  # display value that counts as 255 on the way back: white itself is infinitely bright

OVEREXPOSED = 1.3
"""Gain from which a camera clips hard: there the curve of `developed` has no shoulder."""


def to_light(image: np.ndarray) -> np.ndarray:
    """Return the linear light, float32 (H, W, 3), of display values uint8 (H, W, 3)."""
    return np.asarray(cv2.LUT(image, _light_of_levels()))


def developed(light: np.ndarray, gain: float = 1.0) -> np.ndarray:
    """Return display values, float32 of 0..255, of linear light (H, W, 3) that a camera exposed with this gain.

    With a gain above `OVEREXPOSED` light of 1 and more is 255, else the curve of the renderer applies.
    """
    full = saturation(gain)
    rolled = np.clip(light, 0, full, dtype=np.float32)
    if full > 1:  # the shoulder
        bright = rolled > KNEE
        rolled[bright] = 1 - (1 - KNEE) * np.exp((KNEE - rolled[bright]) / (1 - KNEE))
    levels = cv2.pow(rolled, 1 / GAMMA)
    levels *= 255
    return np.asarray(levels)


def saturation(gain: float) -> float:
    """Return the light, gain included, at which the pixels of a sensor are full."""
    return 1.0 if gain > OVEREXPOSED else float(_light_of_levels()[255])


@cache
def _light_of_levels() -> np.ndarray:
    levels = np.minimum(np.arange(256), _WHITE) / 255
    rolled = levels**GAMMA
    shoulder = KNEE - (1 - KNEE) * np.log(np.maximum(1 - rolled, 1e-9) / (1 - KNEE))
    return np.where(rolled > KNEE, shoulder, rolled).astype(np.float32)
