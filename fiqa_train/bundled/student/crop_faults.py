"""Faults of a camera on aligned crops, mild to severe, drawn for the training of a student."""

from collections.abc import Callable

import cv2
import numpy as np

from synfiqa.actors.degradation.camera.linear_light import GAMMA
from synfiqa.actors.degradation.draws import log_uniform
from synfiqa.actors.degradation.operators import (
    compress,
    gaussian_blur,
    lower_resolution,
    motion_blur,
    sensor_noise,
    toned,
)

COUNTS = (0.36, 0.40, 0.18, 0.06)
"""Shares of crops with no, one, two and three faults."""

Fault = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Changes an aligned crop uint8 RGB (112, 112, 3) by a strength."""


def gain(crop: np.ndarray, factor: float) -> np.ndarray:
    """Return a crop whose linear light is multiplied by a factor and clipped."""
    curve = 255 * np.minimum(1.0, factor * (np.arange(256) / 255) ** GAMMA) ** (1 / GAMMA)
    brighter: np.ndarray = np.rint(curve).astype(np.uint8)[crop]
    return brighter


def _patch(crop: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    covered, half = crop.copy(), round(side / 2)
    x, y = (int(value) for value in rng.integers(16, 97, size=2))
    colour = tuple(int(value) for value in rng.integers(0, 256, size=3))
    cv2.rectangle(covered, (x - half, y - half), (x + half, y + half), colour, -1)
    return covered


FAULTS: dict[str, tuple[Fault, float, float, float]] = {
    "noise": (lambda crop, sigma, rng: sensor_noise(crop, sigma, rng), 4, 80, 50),
    "jpeg": (lambda crop, quality, _: compress(crop, int(quality)), 2, 45, 5),
    "blur": (lambda crop, sigma, _: gaussian_blur(crop, sigma), 0.5, 6.3, 5),
    "motion": (lambda crop, length, rng: motion_blur(crop, length, rng.uniform(0, np.pi)), 2, 31, 20),
    "resolution": (lambda crop, side, _: lower_resolution(crop, int(side)), 13, 70, 14),
    "dark": (lambda crop, factor, _: gain(crop, factor), 0.015, 0.5, 0.03),
    "bright": (lambda crop, factor, _: gain(crop, factor), 1.6, 8, 5),
    "gamma": (lambda crop, exponent, _: toned(crop, exponent), 0.4, 5, 4),
    "patch": (_patch, 9, 63, 50),
}
"""Each fault with its least and largest strength, drawn log-uniform, and the strong one of the metrics: grey levels,
JPEG quality, pixels of the crop (blur, motion, side, patch), gains of linear light, exponent of the tone curve."""


def faulted(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a crop uint8 RGB (112, 112, 3) with none to three faults of different kinds, stored as JPEG."""
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    # In the order of a camera: light, optics, sensor, file.
    order = ("patch", "dark", "bright", "blur", "motion", "resolution", "noise", "gamma", "jpeg")
    chosen = set(rng.choice(order, size=count, replace=False).tolist())
    for name in order:
        if name in chosen:
            fault, low, high, _ = FAULTS[name]
            crop = fault(crop, log_uniform(rng, low, high), rng)
    return crop if "jpeg" in chosen else compress(crop, int(rng.integers(70, 97)))


def strong(crops: np.ndarray, name: str, seed: int) -> np.ndarray:
    """Return crops uint8 RGB (N, 112, 112, 3) under one strong fault."""
    fault, _, _, strength = FAULTS[name]
    rng = np.random.default_rng(seed)
    return np.stack([fault(crop, strength, rng) for crop in crops])
