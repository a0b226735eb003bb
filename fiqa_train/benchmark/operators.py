"""Degradations of an aligned crop with one exact strength each: blur, loss of resolution, sensor noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from actors.alignment import ARCFACE_SIZE
from schemas.seeds import derive_seed, generator


@dataclass(frozen=True)
class Operator:
    """What happens to a crop beyond its recipe, in this order; the defaults leave it alone.

    `blur_sigma` is that of an isotropic Gaussian in pixels, `resolution` the side in pixels that the crop is shrunk to
    and enlarged from, `noise_sigma` that of independent Gaussian noise in grey levels.
    """

    blur_sigma: float = 0.0
    resolution: int = ARCFACE_SIZE
    noise_sigma: float = 0.0


def apply(operator: Operator, image: np.ndarray, seed: int) -> np.ndarray:
    """Return the uint8 RGB crop (112, 112, 3) after the operator; the seed decides the noise.

    One seed gives one pattern of noise at every strength, so that a ladder differs in its strength alone.
    """
    if operator.blur_sigma > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), operator.blur_sigma))
    if operator.resolution < ARCFACE_SIZE:
        small = cv2.resize(image, (operator.resolution, operator.resolution), interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (ARCFACE_SIZE, ARCFACE_SIZE), interpolation=cv2.INTER_CUBIC))
    if operator.noise_sigma > 0:
        noise = generator(derive_seed(seed, "benchmark", "noise")).standard_normal(image.shape)
        image = np.clip(np.rint(image + operator.noise_sigma * noise), 0, 255).astype(np.uint8)
    return image
