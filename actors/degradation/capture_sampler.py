"""Samples capture faults: motion, noise, exposure, colour cast, compression, misalignment and camera distance.

Each factor has its own random generator, so that a changed rate or range, or a new factor, leaves the other draws of a
recipe unchanged.
"""

import numpy as np

from synfiqa.actors.degradation.draws import log_uniform, single
from synfiqa.schemas.config.generate import BRIGHT_FROM, DARK_BELOW, DegradedSection
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

_ORDINARY_DISTANCE = (4.0, 10.0)  # head heights (of 24 cm): 1 to 2.4 m
_GAIN_NOISE = (2.0, 6.0)  # grey levels of sensor noise of a dark image before its gain
_MAX_NOISE = 80.0


def with_distance(recipe: Recipe) -> Recipe:
    """Return a recipe with an ordinary camera distance, at which perspective distortion is hardly visible."""
    return recipe.model_copy(update={"camera_distance": log_uniform(_rng(recipe, "distance"), *_ORDINARY_DISTANCE)})


def with_faults(recipe: Recipe, distribution: DegradedSection) -> Recipe:
    """Return a degraded recipe with the faults drawn by its seed from the configured rates and ranges."""
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
            # In low light a camera raises its gain, which amplifies the noise together with the signal.
            gained = log_uniform(rng, *_GAIN_NOISE) / np.sqrt(light["exposure"])
            drawn["noise"] = single(min(_MAX_NOISE, np.hypot(gained, float(drawn.get("noise", 0.0)))))  # type: ignore[arg-type]

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
