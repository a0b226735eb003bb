"""Degrades whole portraits by the recipe of their sample: the operators of the crop, sized to the face.

In this version of the recipe faults act on the aligned 112 x 112 crop, and stored portraits are clean. A length of the
recipe is one of the crop, so that it is multiplied by k, the side of a crop's pixel in pixels of the portrait:

| factor | on the portrait |
|---|---|
| blur | standard deviations of the kernel times k |
| motion | length times k |
| downsample s | sampled at a distance of 1 + (s - 1) k pixels; as released (`faithful`) of 1 + s k |
| noise | as strong, with a grain of k pixels |
| jpeg_quality | the same quality; blocks have 8 pixels of the portrait |

Misalignment is an error of the aligner and factors of plug-ins act on crops alone: both leave portraits as they are.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from synfiqa.actors.degradation.degrade import draw_kernel
from synfiqa.actors.degradation.operators import compress, motion_blur, sensor_noise
from synfiqa.actors.degradation.released_blur import correlated
from synfiqa.actors.imaging.alignment import similarity_transform
from synfiqa.actors.imaging.released_alignment import released_transform
from synfiqa.schemas.recipe import Profile, Recipe
from synfiqa.schemas.seeds import derive_seed, generator

RECORDED = ("blur", "motion", "downsample", "noise", "jpeg_quality", "pixel")
"""Keys of `DegradedPortrait.values`: the factors as commanded, and k."""

_EYES, _NOSE, _CORNERS = (slice(36, 42), slice(42, 48)), 30, (48, 54)


@dataclass(frozen=True, eq=False)
class DegradedPortrait:
    """A degraded portrait, uint8 RGB (H, W, 3), and the value of each operator; none for a reference.

    `values` holds `RECORDED`, and where a blur was applied `kernel_lambda1`, `kernel_lambda2` (px^2 of the crop) and
    `kernel_theta` (radians).
    """

    image: np.ndarray
    values: dict[str, float]


def five_landmarks(points: np.ndarray) -> np.ndarray:
    """Return the five landmarks (5, 2) of 68 points (68, 2): middles of the eyes, nose tip, mouth corners."""
    eyes = [points[eye].mean(axis=0) for eye in _EYES]
    return np.stack([*eyes, points[_NOSE], *(points[corner] for corner in _CORNERS)])


def crop_pixel(landmarks: np.ndarray, profile: Profile = "corrected") -> float:
    """Return k: the side of a pixel of the aligned 112 x 112 crop in pixels of the image with these (5, 2) landmarks.

    `faithful` aligns by the released estimate. ValueError when the landmarks determine no alignment.
    """
    transform = similarity_transform if profile == "corrected" else released_transform
    return float(1 / np.hypot(*transform(landmarks[None])[0][:, 0]))


def degraded_portrait(portrait: np.ndarray, landmarks: np.ndarray, recipe: Recipe) -> DegradedPortrait:
    """Apply blur, motion, resampling, noise and compression of a recipe to a clean uint8 RGB portrait (H, W, 3).

    `landmarks` are the five (5, 2) or the 68 points (68, 2) of its face in pixels. The seed of the recipe fixes kernel,
    angle and noise, as in the sample's crop. Portraits of references stay clean. ValueError for an image of another
    type, or landmarks that determine no face.
    """
    if portrait.dtype != np.uint8 or portrait.ndim != 3 or portrait.shape[2] != 3:
        raise ValueError(f"degraded_portrait takes uint8 RGB (H, W, 3), not {portrait.dtype} {portrait.shape}")
    if recipe.kind == "reference":
        return DegradedPortrait(portrait, {})
    pixel = crop_pixel(five_landmarks(landmarks) if len(landmarks) == 68 else landmarks, recipe.profile)
    values = {name: float(getattr(recipe, name)) for name in RECORDED[:-1]} | {"pixel": pixel}
    image, kernel = _blurred(portrait, recipe, pixel)
    corrected = recipe.profile == "corrected"
    if corrected and recipe.motion > 0:
        angle = generator(derive_seed(recipe.seed, "motion")).uniform(0, np.pi)
        image = motion_blur(image, recipe.motion * pixel, angle)
    image = _resampled(image, 1 + (recipe.downsample - corrected) * pixel)
    if corrected and recipe.noise > 0:
        image = sensor_noise(image, recipe.noise, generator(derive_seed(recipe.seed, "noise")), pixel)
    return DegradedPortrait(compress(image, recipe.jpeg_quality), values | kernel)


def _blurred(image: np.ndarray, recipe: Recipe, pixel: float) -> tuple[np.ndarray, dict[str, float]]:
    if recipe.blur <= 1:
        return image, {}
    random = generator(derive_seed(recipe.seed, "degrade"))
    kernel = draw_kernel(random, recipe.downsample, recipe.blur, recipe.profile, pixel)
    recorded = {"kernel_lambda1": kernel.lambda1, "kernel_lambda2": kernel.lambda2, "kernel_theta": kernel.theta}
    return correlated(image, kernel.taps, recipe.profile), recorded


def _resampled(image: np.ndarray, distance: float) -> np.ndarray:
    """Return the image sampled at this distance in pixels and enlarged again, both bicubically."""
    height, width = image.shape[:2]
    small = max(1, round(width / distance)), max(1, round(height / distance))
    if small == (width, height):
        return image
    shrunk = Image.fromarray(image).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(shrunk.resize((width, height), Image.Resampling.BICUBIC))
