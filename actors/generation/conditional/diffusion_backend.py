"""The samples of an identity by diffusion: templates of a bank, prompts, degradations of the run."""

from collections import Counter

import numpy as np
import torch

from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.actors.generation.conditional.parametric_bank import EXPRESSION_SIZES, parametric_bank
from synfiqa.actors.generation.conditional.template_bank import Template, TemplateBank
from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.face_model.camera import rotations
from synfiqa.actors.imaging.rotation import euler_angles
from synfiqa.actors.model_store.architectures.architecture import ExpressionSpace
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.players import Players
from synfiqa.actors.roles import ConditionalGenerator
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors import after_rendering
from synfiqa.schemas.recipe import Pose, Recipe
from synfiqa.schemas.seeds import derive_seed

_LIMITS = (100.0, 60.0, 180.0)  # of a recipe's yaw, pitch, roll


class DiffusionBackend:
    """A 3-D face under templates of a bank, painted by Stable Diffusion.

    Recipes name template and prompt; their pose is that of the template's head. Expression and light are the
    template's too, and no columns of the recipe.
    """

    def __init__(self, run: ResolvedRun, players: Players) -> None:
        """Read the bank; UserError when it does not fit the run, before anything heavy loads."""
        chosen, config = run.models.conditional, run.config
        assert chosen is not None, "the conditional generator is diffusion"
        self._config, self._players = config, players
        self.models: tuple[Model, ...] = (*chosen.all_models(), run.models.detector)
        self._prompts = arguments_of(chosen.diffusion.card, DiffusionArguments).prompts
        self._space = expression_space(chosen.face_model)
        path = config.diffusion.templates
        # Travels with the stage: the file need not be on the workers.
        self._file = TemplateBank.load(path) if path else None
        if self._file:
            self._check(self._file)

    @property
    def bank(self) -> TemplateBank:
        """The bank of the file, or ten times as many templates as an identity has samples, drawn from the run seed."""
        generate = self._config.generate
        return self._file or parametric_bank(
            derive_seed(self._config.run.seed, "templates"),
            generate.references,
            max(200, 10 * generate.degraded),
            self._space,
            generate.degraded_distribution,
        )

    def recipes(self, candidate: int) -> list[Recipe]:
        """Return the recipes of an identity, references first; seeded by candidate number, not by acceptance order."""
        generate, seed = self._config.generate, self._config.run.seed
        identity = derive_seed(seed, "identity", candidate)
        templates = [*self.bank.reference(generate.references), *self.bank.degraded(identity, generate.degraded)]
        # The template decides the light: noise of underexposed pictures would have no cause.
        lit = generate.degraded_distribution.model_copy(update={"exposure_rate": 0.0})
        drawn = identity_recipes(seed, candidate, generate.model_copy(update={"degraded_distribution": lit}))
        return [
            self._recipe(recipe, index, template)
            for index, (recipe, template) in enumerate(zip(drawn, templates, strict=True))
        ]

    def generator(self) -> ConditionalGenerator:
        """Return the generator of this process, its models loaded."""
        from synfiqa.actors.generation.conditional.diffusion_generator import generator_of

        return generator_of(self._config, self._players, self.bank)

    def _recipe(self, drawn: Recipe, index: int, template: Template) -> Recipe:
        generate = self._config.generate
        prompt = self._prompts.prompt(
            drawn.kind,
            index if drawn.kind == "reference" else index - generate.references,
            derive_seed(drawn.seed, "prompt"),
            "faithful" if generate.profile == "faithful" else "corrected",
            # The released list begins with as many reference prompts as there are degraded samples.
            released=max(0, generate.degraded - generate.references),
        )
        return Recipe(
            kind=drawn.kind,
            seed=drawn.seed,
            pose=pose_of(template),
            **{row.field: row.value(drawn) for row in after_rendering()},
            plugins=drawn.plugins,
            profile=drawn.profile,
            template=template.token,
            prompt=prompt,
        )

    def _check(self, bank: TemplateBank) -> None:
        generate = self._config.generate
        bank.reference(generate.references)
        bank.degraded(0, generate.degraded)
        numbers = EXPRESSION_SIZES[self._space]
        if bank.expression_size != numbers:
            raise UserError(
                f"the template bank ({bank.source}) has expressions of {bank.expression_size} numbers but "
                f"{self._config.models.face_model} takes {numbers}: make a bank for this face model"
            )
        for templates in (bank.references, bank.degradations):
            (token, times), *_ = Counter(template.token for template in templates).most_common(1)
            if times > 1:
                raise UserError(
                    f"the template bank ({bank.source}) has {times} templates '{token}': rename all but one"
                )


def expression_space(face_model: Model) -> ExpressionSpace:
    """Return the expression parameters of a 3-D face model."""
    space = ARCHITECTURES[face_model.card.architecture].expressions
    assert space is not None, "every face model declares one"
    return space


def pose_of(template: Template) -> Pose:
    """Return the head pose of a template in degrees, as float32, clipped to the range of recipes."""
    turned = rotations(torch.from_numpy(template.pose[None, :3]).double()).numpy()
    limits = np.array(_LIMITS)
    yaw, pitch, roll = np.clip(euler_angles(turned)[0], -limits, limits).astype(np.float32)
    return Pose(yaw=float(yaw), pitch=float(pitch), roll=float(roll))
