"""Fresh degradations of rendered crops, so that a network never sees the same blur twice."""

import numpy as np

from synfiqa.actors.degradation.degrade import degrade, sample_scale
from synfiqa.actors.degradation.draws import log_uniform
from synfiqa.actors.degradation.operators import compress
from synfiqa.fiqa_train.bundled.render_set import WIDE
from synfiqa.schemas.config.generate import DARK_BELOW
from synfiqa.schemas.recipe import Recipe

UNTOUCHED = 0.25
"""Share of variations that keep full detail."""


SHAKEN, GRAINY, COARSE = 0.2, 0.25, 0.25
"""Shares of variations with motion blur, sensor noise and hard compression."""


def draw_variation(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    """Return the recipe with fresh faults of optics, sensor and file, as if degraded: none, or from mild to severe.

    A dark picture keeps at least the noise that its camera's gain has given it.
    """
    scales = [sample_scale(rng, WIDE.scale_intervals, WIDE.scale_weights) for _ in range(2)]
    downsample, blur = (1.0, 1.0) if rng.random() < UNTOUCHED else scales
    shaken, grainy, coarse = rng.random(3) < (SHAKEN, GRAINY, COARSE)
    motion, noise = log_uniform(rng, *WIDE.motion), log_uniform(rng, *WIDE.noise)
    low, high = WIDE.coarse_jpeg
    quality = int(log_uniform(rng, low, high)) if coarse else int(rng.integers(high, 96))
    gained = recipe.noise if recipe.light.exposure < DARK_BELOW else 0.0
    change = {
        "kind": "degraded",
        "seed": int(rng.integers(2**62)),
        "downsample": downsample,
        "blur": blur,
        "motion": motion if shaken else 0.0,
        "noise": max(gained, noise if grainy else 0.0),
        "jpeg_quality": quality,
    }
    return recipe.model_copy(update=change)


def degraded_crop(crop: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Degrade and compress an aligned crop, uint8 RGB (112, 112, 3), as its recipe says."""
    return compress(degrade(crop, recipe).image, recipe.jpeg_quality)


def degrade_all(crops: np.ndarray, recipes: list[Recipe]) -> np.ndarray:
    """Degrade and compress each of (N, 112, 112, 3) crops as its recipe says."""
    return np.stack([degraded_crop(crop, recipe) for crop, recipe in zip(crops, recipes, strict=True)])
