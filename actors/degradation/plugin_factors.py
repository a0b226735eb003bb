"""Factors of plug-ins in recipes and on crops; each has random numbers of its own (docs/architecture.md, promise 1)."""

from collections.abc import Mapping

import numpy as np

from synfiqa.actors.degradation.draws import log_uniform, single, uniform
from synfiqa.schemas.config.generate import PluginFactor
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors.plugin_rows import plugged, plugged_rows
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator


def with_plugins(recipe: Recipe, factors: Mapping[str, PluginFactor]) -> Recipe:
    """Return the recipe with the factors of plug-ins: drawn for degraded samples, else neutral.

    The profile `faithful` draws none of them, as the release has none.
    """
    drawn = recipe.kind == "degraded" and recipe.profile != "faithful"
    values = ((name, _drawn(recipe, name, factors[name]) if drawn else _neutral(name)) for name in sorted(factors))
    return recipe.model_copy(update={"plugins": tuple(values)})


def apply_plugins(image: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return a uint8 RGB crop (112, 112, 3) with the recipe's factors of plug-ins, in order of names."""
    for name, value in recipe.plugins:
        if value != _neutral(name):
            image = plugged(name)[1].operator(image, value, generator(derive_seed(recipe.seed, "plugin", name)))
    return image


def check_intervals(factors: Mapping[str, PluginFactor]) -> None:
    """Load the plug-ins of `generate.factors`; UserError for one that cannot be used, or a draw beyond its range."""
    plugged_rows(factors)
    for name, drawn in factors.items():
        limits = plugged(name)[1].row.range
        assert limits is not None, "check_plugged demands one"
        if not limits[0] <= drawn.interval[0] <= drawn.interval[1] <= limits[1]:
            raise UserError(
                f"generate.factors.{name}.interval: {list(drawn.interval)} is not within {limits[0]:g} to "
                f"{limits[1]:g}, the range of its row in {plugged(name)[0].distribution}; correct the interval"
            )


def _drawn(recipe: Recipe, name: str, factor: PluginFactor) -> float:
    rng = generator(derive_seed(recipe.seed, "capture", f"plugin {name}"))
    if rng.random() >= factor.rate:
        return _neutral(name)
    low, high = factor.interval
    return log_uniform(rng, low, high) if low > 0 else uniform(rng, low, high)


def _neutral(name: str) -> float:
    return single(float(plugged(name)[1].row.neutral))
