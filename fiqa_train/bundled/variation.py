"""Random degradations of rendered crops, drawn anew for every use."""

import numpy as np

from synfiqa.actors.degradation.degrade import degrade, sample_scale
from synfiqa.actors.degradation.draws import log_uniform
from synfiqa.actors.degradation.operators import compress
from synfiqa.fiqa_train.bundled.render_set import WIDE
from synfiqa.schemas.config.generate import DARK_BELOW
from synfiqa.schemas.recipe import Recipe

SHARP_RATE = 0.25
"""Share of variations without loss of resolution and blur."""
MOTION_RATE, NOISE_RATE, JPEG_RATE = 0.2, 0.25, 0.25
"""Shares of variations with motion blur, sensor noise and hard compression."""


def draw_variation(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    """Return the recipe as that of a degraded sample, with new faults of optics, sensor and file, none to severe.

    A dark picture keeps at least the noise of its camera's gain.
    """
    scales = [sample_scale(rng, WIDE.scale_intervals, WIDE.scale_weights) for _ in range(2)]
    downsample, blur = (1.0, 1.0) if rng.random() < SHARP_RATE else scales
    moving, noisy, coarse = rng.random(3) < (MOTION_RATE, NOISE_RATE, JPEG_RATE)
    motion, noise = log_uniform(rng, *WIDE.motion), log_uniform(rng, *WIDE.noise)
    low, high = WIDE.coarse_jpeg
    quality = int(log_uniform(rng, low, high)) if coarse else int(rng.integers(high, 96))
    gained = recipe.noise if recipe.light.exposure < DARK_BELOW else 0.0
    change = {
        "kind": "degraded",
        "seed": int(rng.integers(2**62)),
        "downsample": downsample,
        "blur": blur,
        "motion": motion if moving else 0.0,
        "noise": max(gained, noise if noisy else 0.0),
        "jpeg_quality": quality,
    }
    return recipe.model_copy(update=change)


def degraded_crop(crop: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Degrade and compress an aligned crop, uint8 RGB (112, 112, 3), by its recipe."""
    return compress(degrade(crop, recipe).image, recipe.jpeg_quality)


def degrade_all(crops: np.ndarray, recipes: list[Recipe]) -> np.ndarray:
    """Degrade and compress crops (N, 112, 112, 3), each by its recipe."""
    return np.stack([degraded_crop(crop, recipe) for crop, recipe in zip(crops, recipes, strict=True)])
