"""Ladders: held-out faces degraded step by step in one factor, along which similarity should fall."""

from collections.abc import Callable, Iterator

import numpy as np

from synfiqa.actors.degradation.operators import compress, gaussian_blur, lower_resolution, motion_blur, sensor_noise
from synfiqa.fiqa_train.bundled.render_set import RenderSet
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

BLUR_SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
RESOLUTIONS = (112, 84, 56, 42, 28, 20, 14, 10)
MOTIONS = (0.0, 4.0, 8.0, 14.0, 22.0)
NOISES = (0.0, 10.0, 20.0, 40.0, 60.0)
QUALITIES = (90, 50, 20, 10, 5)
COVERED_SHARES = (0.0, 0.1, 0.2, 0.35, 0.5)


def ladders(held_out: RenderSet) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield "factor_level", the crops at that level uint8 RGB (N, 112, 112, 3) and their identities (N,)."""
    rows = held_out.of("ladder")
    names = np.array([_name(recipe) for recipe in rows.recipes])
    for name in dict.fromkeys(names):
        yield str(name), rows.crops[names == name], rows.identity[names == name]
    frontal, identity = rows.crops[names == "yaw_0"], rows.identity[names == "yaw_0"]
    for factor, levels, change in _OPERATORS:
        for level in levels:
            changed = [change(crop, level, number) for number, crop in enumerate(frontal)]
            yield f"{factor}_{level:g}", np.stack(changed), identity
    for share in COVERED_SHARES:
        covered = frontal.copy()
        covered[:, 112 - round(112 * share) :] = 128
        yield f"covered_from_below_{share:g}", covered, identity


def _motion(crop: np.ndarray, length: float, number: int) -> np.ndarray:
    return motion_blur(crop, length, generator(derive_seed(number, "ladder", "motion")).uniform(0, np.pi))


def _noise(crop: np.ndarray, sigma: float, number: int) -> np.ndarray:
    return sensor_noise(crop, sigma, generator(derive_seed(number, "ladder", "noise")))


_OPERATORS: tuple[tuple[str, tuple[float, ...], Callable[[np.ndarray, float, int], np.ndarray]], ...] = (
    ("blur", BLUR_SIGMAS, lambda crop, sigma, _: gaussian_blur(crop, sigma)),
    ("resolution", RESOLUTIONS, lambda crop, side, _: lower_resolution(crop, int(side))),
    ("motion", MOTIONS, _motion),
    ("noise", NOISES, _noise),
    ("jpeg", QUALITIES, lambda crop, quality, _: compress(crop, int(quality))),
)


def _name(recipe: Recipe) -> str:
    if recipe.occluder != "none":
        return f"{recipe.occluder}_{recipe.occluder_coverage:g}"
    if recipe.light.harshness > 0.3:
        return f"harsh_light_{recipe.light.harshness:g}"
    if recipe.light.exposure <= 0.5:
        return f"dark_{recipe.light.exposure:g}"
    if recipe.misalignment:
        return f"misalignment_{recipe.misalignment:g}"
    if recipe.camera_distance < 3:
        return f"near_camera_{recipe.camera_distance:g}"
    if recipe.pose.pitch:
        return f"pitch_{recipe.pose.pitch:g}"
    return f"yaw_{recipe.pose.yaw:g}"
