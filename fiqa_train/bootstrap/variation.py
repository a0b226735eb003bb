"""Fresh degradations of rendered crops, so that a network never sees the same blur twice."""

import numpy as np

from actors.degradation import degrade, sample_scale
from fiqa_train.bootstrap.render_set import WIDE
from schemas.recipe import Recipe

UNTOUCHED = 0.25
"""Share of variations that keep full detail."""


def draw_variation(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    """Return the recipe with fresh blur, resolution and kernel, as if degraded: none, or from mild to severe."""
    scales = [sample_scale(rng, WIDE.scale_intervals, WIDE.scale_weights) for _ in range(2)]
    downsample, blur = (1.0, 1.0) if rng.random() < UNTOUCHED else scales
    change = {"kind": "degraded", "seed": int(rng.integers(2**62)), "downsample": downsample, "blur": blur}
    return recipe.model_copy(update=change)


def degrade_all(crops: np.ndarray, recipes: list[Recipe]) -> np.ndarray:
    """Degrade each aligned crop, uint8 RGB (N, 112, 112, 3), as its recipe says."""
    return np.stack([degrade(crop, recipe).image for crop, recipe in zip(crops, recipes, strict=True)])
