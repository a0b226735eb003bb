"""Held-out faces changed step by step in one factor: what must cost similarity, and the more the further."""

from collections.abc import Iterator

import cv2
import numpy as np

from fiqa_train.bootstrap.render_set import RenderSet
from schemas.recipe import Recipe

BLUR_SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
RESOLUTIONS = (112, 84, 56, 42, 28, 20, 14, 10)
NOISES = (0.0, 10.0, 20.0, 40.0)
COVERED_SHARES = (0.0, 0.1, 0.2, 0.35, 0.5)


def ladders(held_out: RenderSet) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield "factor_level", the crops at that level uint8 RGB (N, 112, 112, 3) and their identities (N,)."""
    rows = held_out.of("ladder")
    names = np.array([_name(recipe) for recipe in rows.recipes])
    for name in dict.fromkeys(names):
        yield str(name), rows.crops[names == name], rows.identity[names == name]
    frontal, identity = rows.crops[names == "yaw_0"], rows.identity[names == "yaw_0"]
    for sigma in BLUR_SIGMAS:
        blurred = [cv2.GaussianBlur(crop, (0, 0), sigma) if sigma else crop for crop in frontal]
        yield f"blur_{sigma:g}", np.stack(blurred), identity
    for side in RESOLUTIONS:
        small = [cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in frontal]
        large = [cv2.resize(crop, (112, 112), interpolation=cv2.INTER_CUBIC) for crop in small]
        yield f"resolution_{side}", np.stack(large), identity
    rng = np.random.default_rng(0)
    for level in NOISES:
        noise = rng.normal(0, level, frontal.shape)
        yield f"noise_{level:g}", np.clip(frontal + noise, 0, 255).astype(np.uint8), identity
    for share in COVERED_SHARES:
        covered = frontal.copy()
        covered[:, 112 - round(112 * share) :] = 128
        yield f"covered_from_below_{share:g}", covered, identity


def _name(recipe: Recipe) -> str:
    if recipe.occluder != "none":
        return f"{recipe.occluder}_{recipe.occluder_coverage:g}"
    if recipe.light.harshness > 0.3:
        return f"harsh_light_{recipe.light.harshness:g}"
    if recipe.pose.pitch:
        return f"pitch_{recipe.pose.pitch:g}"
    return f"yaw_{recipe.pose.yaw:g}"
