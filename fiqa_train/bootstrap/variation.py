"""Fresh degradations of rendered crops, so that a network never sees the same blur twice."""

import numpy as np

from actors.degradation import degrade, sample_scale
from fiqa_train.bootstrap.render_set import WIDE
from schemas.recipe import Recipe


def draw_variation(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    """Return the recipe with fresh blur, resolution and kernel, as if degraded, from mild to severe."""
    change = {
        "kind": "degraded",
        "seed": int(rng.integers(2**62)),
        "downsample": sample_scale(rng, WIDE.scale_intervals, WIDE.scale_weights),
        "blur": sample_scale(rng, WIDE.scale_intervals, WIDE.scale_weights),
    }
    return recipe.model_copy(update=change)


def degrade_all(crops: np.ndarray, recipes: list[Recipe]) -> np.ndarray:
    """Degrade each aligned crop, uint8 RGB (N, 112, 112, 3), as its recipe says."""
    return np.stack([degrade(crop, recipe).image for crop, recipe in zip(crops, recipes, strict=True)])
