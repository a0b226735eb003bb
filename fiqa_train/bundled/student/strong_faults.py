"""Strong faults of a camera on aligned crops, under which a student is compared with its teacher."""

from collections.abc import Callable

import numpy as np

from synfiqa.actors.degradation.camera.linear_light import GAMMA
from synfiqa.actors.degradation.operators import compress, gaussian_blur, lower_resolution, sensor_noise

Fault = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Changes an aligned crop uint8 RGB (112, 112, 3) by a strength."""


def gain(crop: np.ndarray, factor: float) -> np.ndarray:
    """Return a crop whose linear light is multiplied by a factor and clipped."""
    curve = 255 * np.minimum(1.0, factor * (np.arange(256) / 255) ** GAMMA) ** (1 / GAMMA)
    brighter: np.ndarray = np.rint(curve).astype(np.uint8)[crop]
    return brighter


FAULTS: dict[str, tuple[Fault, float]] = {
    "noise": (lambda crop, sigma, rng: sensor_noise(crop, sigma, rng), 50),
    "jpeg": (lambda crop, quality, _: compress(crop, int(quality)), 5),
    "blur": (lambda crop, sigma, _: gaussian_blur(crop, sigma), 5),
    "resolution": (lambda crop, side, _: lower_resolution(crop, int(side)), 14),
    "dark": (lambda crop, factor, _: gain(crop, factor), 0.03),
    "bright": (lambda crop, factor, _: gain(crop, factor), 5),
}
"""Each fault with its strength: grey levels, JPEG quality, pixels of the crop (sigma, side), gains of linear light."""


def strong(crops: np.ndarray, name: str, seed: int) -> np.ndarray:
    """Return crops uint8 RGB (N, 112, 112, 3) under one strong fault."""
    fault, strength = FAULTS[name]
    rng = np.random.default_rng(seed)
    return np.stack([fault(crop, strength, rng) for crop in crops])
