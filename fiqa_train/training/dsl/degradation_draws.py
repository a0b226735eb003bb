"""Random degradations of one face for dual-set learning: six kinds, each with a strength drawn log-uniformly."""

from collections.abc import Callable, Sequence

import numpy as np

from synfiqa.actors.degradation.operators import (
    compress,
    gaussian_blur,
    lower_resolution,
    motion_blur,
    sensor_noise,
    toned,
)

SECOND = 0.3
"""Share of draws with a second kind after the first."""
Operator = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _exposed(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return toned(image, strength if rng.random() < 0.5 else 1 / strength)


KINDS: dict[str, tuple[tuple[float, float], Operator]] = {
    "blur": ((0.7, 4.0), lambda image, sigma, rng: gaussian_blur(image, sigma)),
    "motion": ((4.0, 20.0), lambda image, length, rng: motion_blur(image, length, rng.uniform(0, np.pi))),
    "resolution": ((1.5, 6.0), lambda image, factor, rng: lower_resolution(image, round(image.shape[0] / factor))),
    "noise": ((5.0, 40.0), sensor_noise),
    "jpeg": ((1.0, 12.0), lambda image, strength, rng: compress(image, max(2, round(60 / strength)))),
    "exposure": ((1.5, 3.0), _exposed),
}
"""Weakest and strongest value, and operator, of each kind: sigma, length, factor, grey levels, 60 / quality, gamma."""


def degraded_by(kind: str, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a square uint8 RGB image under one kind at a random strength."""
    (low, high), operator = KINDS[kind]
    return operator(image, float(np.exp(rng.uniform(np.log(low), np.log(high)))), rng)


def random_degradation(image: np.ndarray, rng: np.random.Generator, kinds: Sequence[str] = tuple(KINDS)) -> np.ndarray:
    """Return a square uint8 RGB image under a random kind, and at the rate `SECOND` another one after it."""
    first, second = rng.permutation(len(kinds))[:2]
    image = degraded_by(kinds[first], image, rng)
    return degraded_by(kinds[second], image, rng) if rng.random() < SECOND else image
