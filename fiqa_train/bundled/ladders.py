"""Ladders: held-out faces degraded step by step in one factor, along which similarity should fall."""

from collections.abc import Callable, Iterator

import numpy as np

from synfiqa.actors.degradation.operators import compress, gaussian_blur, lower_resolution, motion_blur, sensor_noise
from synfiqa.fiqa_train.bundled.render_set import LADDERS, RenderSet
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors import ordered_ladders
from synfiqa.schemas.factors.factor import Signs
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

COVERED_SHARES = (0.0, 0.1, 0.2, 0.35, 0.5)


def ladders(held_out: RenderSet) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield "factor_level", the crops at that level uint8 RGB (N, 112, 112, 3) and their identities (N,)."""
    rows = held_out.of("ladder")
    names = np.array([_name(recipe) for recipe in rows.recipes])
    for name in dict.fromkeys(names):
        yield str(name), rows.crops[names == name], rows.identity[names == name]
    frontal, identity = rows.crops[names == "yaw_0"], rows.identity[names == "yaw_0"]
    for _, ladder in ordered_ladders(lambda row: row.bundled):
        for level in ladder.levels if ladder.crop else ():
            changed = [_OPERATORS[ladder.crop](crop, level, number) for number, crop in enumerate(frontal)]
            yield f"{ladder.name}_{level:g}", np.stack(changed), identity
    for share in COVERED_SHARES:
        covered = frontal.copy()
        covered[:, 112 - round(112 * share) :] = 128
        yield f"covered_from_below_{share:g}", covered, identity


def _motion(crop: np.ndarray, length: float, number: int) -> np.ndarray:
    return motion_blur(crop, length, generator(derive_seed(number, "ladder", "motion")).uniform(0, np.pi))


def _noise(crop: np.ndarray, sigma: float, number: int) -> np.ndarray:
    return sensor_noise(crop, sigma, generator(derive_seed(number, "ladder", "noise")))


_OPERATORS: dict[str, Callable[[np.ndarray, float, int], np.ndarray]] = {
    "blur": lambda crop, sigma, _: gaussian_blur(crop, sigma),
    "resolution": lambda crop, side, _: lower_resolution(crop, int(side)),
    "motion": _motion,
    "noise": _noise,
    "jpeg": lambda crop, quality, _: compress(crop, int(quality)),
}


def _name(recipe: Recipe) -> str:
    """Return "ladder_level" of the level that a recipe stands at: putting it there again changes nothing."""
    # Every recipe but those of the first ladder, yaw, stands at its level 0 too.
    for row, ladder in reversed(LADDERS):
        for level in ladder.levels:
            if row.at_level(recipe, ladder, level, Signs()) == recipe:
                return f"{ladder.name}_{level:g}"
    raise UserError("The renders hold recipes of other ladders than this version's; delete their file.")
