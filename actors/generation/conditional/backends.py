"""Conditional backends: which samples an identity gets, and the generator that makes them.

A backend is built on the driver and travels to the workers with its stage; only `generator` loads a model.
"""

from typing import TYPE_CHECKING, Protocol

from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES, load
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.selection import RunModels
from synfiqa.actors.roles import ConditionalGenerator
from synfiqa.schemas.recipe import Recipe

if TYPE_CHECKING:
    from synfiqa.actors.model_store.resolved_run import ResolvedRun
    from synfiqa.actors.players import Players


class ConditionalBackend(Protocol):
    """Plans the samples of an identity and makes them."""

    models: tuple[Model, ...]
    """The models that `generator` loads."""

    def recipes(self, candidate: int) -> list[Recipe]:
        """Return the recipes of an identity, references first; seeded by candidate number, not by acceptance order."""
        ...

    def generator(self) -> ConditionalGenerator:
        """Return the generator, one instance per process."""
        ...


class RenderedBackend:
    """Rendered heads, every factor commanded by the recipe sampler."""

    def __init__(self, run: "ResolvedRun", players: "Players") -> None:
        self._run_seed = run.config.run.seed
        self._settings = run.config.generate
        self._players = players
        self.models: tuple[Model, ...] = (run.models.conditional_generator,)

    def recipes(self, candidate: int) -> list[Recipe]:
        """Return the recipes of an identity, references first."""
        return identity_recipes(self._run_seed, candidate, self._settings)

    def generator(self) -> ConditionalGenerator:
        """Return the renderer of this process."""
        return self._players.conditional_generator


def reference_text(models: RunModels) -> str:
    """Return the text that v_l compares images with: the prompt of references, or their caption where rendered."""
    if models.conditional is None:
        return REFERENCE_CAPTION
    from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments

    return arguments_of(models.conditional.diffusion.card, DiffusionArguments).prompts.reference


def backend_of(run: "ResolvedRun", players: "Players") -> ConditionalBackend:
    """Return the backend of the run's conditional generator; UserError when its inputs do not fit together."""
    architecture = ARCHITECTURES[run.models.conditional_generator.card.architecture]
    backend: ConditionalBackend = load(architecture.backend)(run, players)
    return backend
