"""Ways to show an identity: each knows which samples it makes of one, and the generator that makes them.

A backend is built on the driver and travels to the workers with its stage; only `generator` loads a model.
"""

from typing import Protocol

from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.actors.generation.conditional.procedural import procedural_samples
from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.selection import RunModels
from synfiqa.actors.players import Players
from synfiqa.actors.roles import ConditionalGenerator
from synfiqa.schemas.config.models import PROCEDURAL
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.recipe import Recipe


class ConditionalBackend(Protocol):
    """What samples an identity gets, and who makes them."""

    models: tuple[str, ...]
    """Names of the models that `generator` loads."""

    def recipes(self, candidate: int) -> list[Recipe]:
        """Return the recipes of an identity, references first; they hang on its candidate number, not on its rank."""
        ...

    def generator(self) -> ConditionalGenerator:
        """Return what makes them, one instance per process."""
        ...


class ProceduralBackend:
    """Procedural heads, every factor commanded by the recipe sampler."""

    models: tuple[str, ...] = ()

    def __init__(self, config: RunConfig) -> None:
        self._run_seed = config.run.seed
        self._settings = config.generate

    def recipes(self, candidate: int) -> list[Recipe]:
        """Return the recipes of an identity, references first."""
        return identity_recipes(self._run_seed, candidate, self._settings)

    def generator(self) -> ConditionalGenerator:
        """Return the renderer of this process."""
        return procedural_samples(self._settings.portrait_size)


def reference_text(models: RunModels) -> str:
    """Return what pictures are compared with in v_l: the text that references are asked for (generation spec 3.5)."""
    if models.conditional is None:
        return REFERENCE_CAPTION
    from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments

    return arguments_of(models.conditional.diffusion.card, DiffusionArguments).prompts.reference


def backend_of(config: RunConfig, players: Players) -> ConditionalBackend:
    """Return the backend that the config names; UserError when its inputs do not fit together."""
    if config.models.conditional_generator == PROCEDURAL:
        return ProceduralBackend(config)
    from synfiqa.actors.generation.conditional.diffusion_backend import DiffusionBackend

    return DiffusionBackend(config, players)
