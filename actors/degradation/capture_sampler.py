"""Samples capture faults: every row of the table of factors that has a `fault`.

Each factor has its own random generator, so that a changed rate or range, or a new factor, leaves the other draws of a
recipe unchanged.
"""

import numpy as np

from synfiqa.actors.degradation.draws import log_uniform, log_uniform_whole, single
from synfiqa.schemas.config.generate import BRIGHT_FROM, DARK_BELOW, DegradedSection
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.factor import Fault
from synfiqa.schemas.recipe import Recipe, with_value
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
    for row in FACTORS:
        if row.fault is not None:
            recipe = _with_fault(recipe, row.field, row.fault, distribution)
    return recipe


def with_scene_faults(recipe: Recipe, distribution: DegradedSection) -> Recipe:
    """Return a degraded recipe with those faults alone that change the scene: colour of light, a near camera.

    Exposure, optics, sensor and file are those of its shot (`synfiqa.actors.degradation.shot_sampler`).
    """
    recipe = with_distance(recipe)
    for row in FACTORS:
        if row.fault is not None and row.where == "render" and row.fault.draw != "exposure":
            recipe = _with_fault(recipe, row.field, row.fault, distribution)
    return recipe


def _with_fault(recipe: Recipe, field: str, fault: Fault, distribution: DegradedSection) -> Recipe:
    """Return the recipe with a fault at its rate."""
    rng = _rng(recipe, fault.stream)
    if rng.random() >= getattr(distribution, fault.rate):
        return recipe
    low, high = getattr(distribution, fault.interval)
    if fault.draw == "exposure":
        return _with_exposure(recipe, low, high, rng)
    return with_value(recipe, field, _strength(fault, low, high, rng))


def _strength(fault: Fault, low: float, high: float, rng: np.random.Generator) -> float:
    if fault.draw == "whole":
        return log_uniform_whole(rng, int(low), int(high))
    sign = -1 if fault.draw == "signed" and rng.random() < 0.5 else 1
    return sign * log_uniform(rng, low, high)


def _with_exposure(recipe: Recipe, low: float, high: float, rng: np.random.Generator) -> Recipe:
    """Return the recipe too dark or too bright, half each; the noise of a dark one joins what it has already."""
    if rng.random() >= 0.5:
        return with_value(recipe, "light.exposure", log_uniform(rng, BRIGHT_FROM, high))
    gain = log_uniform(rng, low, DARK_BELOW)
    # In low light a camera raises its gain, which amplifies the noise together with the signal.
    gained = log_uniform(rng, *_GAIN_NOISE) / np.sqrt(gain)
    noise = single(min(_MAX_NOISE, np.hypot(gained, recipe.noise)))
    return with_value(with_value(recipe, "light.exposure", gain), "noise", noise)


def _rng(recipe: Recipe, factor: str) -> np.random.Generator:
    return generator(derive_seed(recipe.seed, "capture", factor))
