"""Models of plug-ins: embedders and quality scorers from installed packages that a config or an option names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, PACKAGE, PLUGIN, ModelCard, Role
from synfiqa.schemas.plugins import PLUGIN_GROUPS as GROUPS
from synfiqa.schemas.plugins import Plugin, find, load_plugin


@dataclass(frozen=True)
class ModelPlugin:
    """A card and what loads its model: the object of an entry point of `synfiqa.scorers` or `synfiqa.embedders`.

    The card has the name of the entry point, the architecture `plugin`, and as source `built-in` for code alone or
    `package:NAME/FILE` for weights inside an installed package, with their sha256. `load(card, path, running)` returns
    a `QualityScorer` or `Embedder` of `synfiqa.actors.roles`; `path` holds the verified weights.
    """

    card: ModelCard
    load: Callable[[ModelCard, Path, Execution], Any]


def plugin_of(card: ModelCard) -> Plugin:
    """Return the plug-in that a card of the architecture `plugin` comes from; UserError where it is not installed."""
    found = find(GROUPS[card.role], card.name)
    if found is None:
        raise UserError(f"the plug-in '{card.name}' ({GROUPS[card.role]}) is not installed here: install its package")
    return found


def plugged_card(name: str, role: Role | None) -> ModelCard | None:
    """Return the checked card of a plug-in, None where there is none of that name and role.

    UserError naming package, card and remedy for one that cannot be used.
    """
    groups = [group for each, group in GROUPS.items() if role in (None, each)]
    plugin = next((found for group in groups if (found := find(group, name))), None)
    if plugin is None:
        return None
    card = load_plugin(plugin, ModelPlugin).card
    wanted = next(each for each, group in GROUPS.items() if group == plugin.group)
    remedy = f"correct it in {plugin.distribution}, or take '{name}' out of the config"
    if (card.name, card.role, card.architecture) != (name, wanted, PLUGIN):
        raise UserError(
            f"the {plugin}: its card must have the name {name}, the role {wanted} and the architecture {PLUGIN}, not "
            f"{card.name}, {card.role} and {card.architecture}; {remedy}"
        )
    if not card.source.startswith((BUILT_IN, PACKAGE)):
        raise UserError(f"the {plugin}: the source of its card must be built-in or package:NAME/FILE; {remedy}")
    if wanted == "quality" and card.higher_is_better is None:
        raise UserError(f"the {plugin}: its card does not state higher_is_better; {remedy}")
    return card


def load_plugged(card: ModelCard, path: Path, running: Execution) -> Any:
    """Return the scorer or embedder of a plug-in, ready to use."""
    return load_plugin(plugin_of(card), ModelPlugin).load(card, path, running)


def try_plugged(card: ModelCard, path: Path, running: Execution | None = None) -> None:
    """Run the model of a plug-in on two images; UserError naming package and remedy where its output is not right."""
    plugin = plugin_of(card)
    remedy = f"correct {plugin.distribution}, or take '{card.name}' out of the config"
    images = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    try:
        model = load_plugged(card, path, running or Execution())
        found = np.asarray(model.score(images) if card.role == "quality" else model.embed(images))
    # Foreign code may raise anything.
    except Exception as error:
        raise UserError(f"the {plugin} fails ({type(error).__name__}: {error}): {remedy}") from error
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise UserError(f"the {plugin} returned NaN, infinity or {found.dtype}: {remedy}")
    if card.role == "quality" and found.shape != (2,):
        raise UserError(f"the {plugin} returned {found.shape} for 2 images, not one number an image: {remedy}")
    if card.role == "embedder" and (found.ndim != 2 or len(found) != 2 or not _unit(found)):
        raise UserError(f"the {plugin} returned {found.shape} for 2 images, not two vectors of length 1: {remedy}")


def _unit(vectors: np.ndarray) -> bool:
    return bool(np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3))
