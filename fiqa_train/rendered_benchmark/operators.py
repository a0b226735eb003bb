"""Degradations of an aligned crop with one exact strength each: blur, loss of resolution, sensor noise."""

from dataclasses import dataclass

import numpy as np

from synfiqa.actors.degradation.operators import gaussian_blur, lower_resolution, sensor_noise
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.schemas.seeds import derive_seed, generator


@dataclass(frozen=True)
class Operator:
    """Degradation of a crop beyond its recipe, in this order; the defaults change nothing.

    `blur_sigma` is that of an isotropic Gaussian in pixels, `resolution` the side in pixels that the crop is shrunk to
    and enlarged from, `noise_sigma` that of sensor noise in grey levels.
    """

    blur_sigma: float = 0.0
    resolution: int = ARCFACE_SIZE
    noise_sigma: float = 0.0


def apply(operator: Operator, image: np.ndarray, seed: int) -> np.ndarray:
    """Apply the operator to a uint8 RGB crop (112, 112, 3); the seed decides the noise.

    One seed gives one noise pattern at every strength, so that steps of a ladder differ in strength alone.
    """
    image = lower_resolution(gaussian_blur(image, operator.blur_sigma), operator.resolution)
    return sensor_noise(image, operator.noise_sigma, generator(derive_seed(seed, "benchmark", "noise")))
