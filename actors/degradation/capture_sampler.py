"""Draws what a camera and an aligner do wrong: shake, noise, exposure, colour, compression, alignment, distance.

Each factor has a generator of its own, so that a rate, a range or a further factor moves no other draw of a recipe.
"""

import numpy as np

from synfiqa.actors.degradation.draws import log_uniform, single
from synfiqa.schemas.config.generate import BRIGHT_FROM, DARK_BELOW, DegradedSection
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

_USUAL_DISTANCE = (4.0, 10.0)  # head heights: arm's length of a companion to across a room
_GAIN_NOISE = (2.0, 6.0)  # grey levels of sensor noise that a dark picture has before its gain is counted
_MOST_NOISE = 80.0


def with_distance(recipe: Recipe) -> Recipe:
    """Return a recipe with a camera at an ordinary distance, where perspective hardly shows."""
    return recipe.model_copy(update={"camera_distance": log_uniform(_rng(recipe, "distance"), *_USUAL_DISTANCE)})


def with_faults(recipe: Recipe, distribution: DegradedSection) -> Recipe:
    """Return a degraded recipe with the faults that its seed draws from the configured rates and ranges."""
    recipe = with_distance(recipe)
    drawn: dict[str, object] = {}
    light: dict[str, float] = {}
    for name, rate in (("motion", distribution.motion_rate), ("noise", distribution.noise_rate)):
        rng = _rng(recipe, name)
        if rng.random() < rate:
            drawn[name] = log_uniform(rng, *getattr(distribution, name))

    rng = _rng(recipe, "exposure")
    if rng.random() < distribution.exposure_rate:
        low, high = distribution.exposure
        dark = rng.random() < 0.5
        light["exposure"] = log_uniform(rng, low, DARK_BELOW) if dark else log_uniform(rng, BRIGHT_FROM, high)
        if dark:
            # In the dark a camera turns up its gain, and with the light it amplifies the noise.
            gained = log_uniform(rng, *_GAIN_NOISE) / np.sqrt(light["exposure"])
            drawn["noise"] = single(min(_MOST_NOISE, np.hypot(gained, float(drawn.get("noise", 0.0)))))  # type: ignore[arg-type]

    rng = _rng(recipe, "cast")
    if rng.random() < distribution.cast_rate:
        light["cast"] = log_uniform(rng, *distribution.cast)
    rng = _rng(recipe, "jpeg")
    if rng.random() < distribution.jpeg_rate:
        low, high = distribution.coarse_jpeg
        drawn["jpeg_quality"] = int(np.clip(np.floor(log_uniform(rng, low, high + 1)), low, high))
    rng = _rng(recipe, "misalignment")
    if rng.random() < distribution.misalignment_rate:
        side = -1 if rng.random() < 0.5 else 1
        drawn["misalignment"] = side * log_uniform(rng, *distribution.misalignment)
    rng = _rng(recipe, "near camera")
    if rng.random() < distribution.near_camera_rate:
        drawn["camera_distance"] = log_uniform(rng, *distribution.near_camera)
    return recipe.model_copy(update={**drawn, "light": recipe.light.model_copy(update=light)})


def _rng(recipe: Recipe, factor: str) -> np.random.Generator:
    return generator(derive_seed(recipe.seed, "capture", factor))
