"""Identities and samples rendered from the procedural 3D head: no download, exact ground truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from synfiqa.actors.degradation.camera.photograph import photographed_part
from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.actors.face3d.render.scene import WIDE
from synfiqa.actors.face3d.render.window import Window
from synfiqa.actors.face3d.shape.identity import BALANCED
from synfiqa.actors.face3d.shape.person import sample_person
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.roles import Candidate, IdentitySource, Portraits
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.config.people import PeopleSection
from synfiqa.schemas.model_card import CardPart, ModelCard
from synfiqa.schemas.recipe import Recipe

_DEFAULTS = GenerateSection()
_AS_BEFORE = PeopleSection()


class RenderSettings(CardPart):
    """Arguments of the cards of both generators; a run fills them in from its section `generate`."""

    portrait_size: int = Field(_DEFAULTS.portrait_size, gt=0)
    skin_tones: tuple[float, ...] = _DEFAULTS.skin_tones
    people: PeopleSection = _AS_BEFORE


class ProceduralIdentityGenerator:
    """Renders random heads in near-frontal poses, some smiling, some with glasses, for the filter to sort."""

    def __init__(
        self,
        portrait_size: int,
        device: str = "cpu",
        skin_tones: Sequence[float] = BALANCED,
        people: PeopleSection = _AS_BEFORE,
    ) -> None:
        self._size = portrait_size
        self._skin_tones = tuple(skin_tones)
        self._people = people
        self._renderer = HeadRenderer(device)

    def generate(self, seeds: Sequence[int]) -> list[Candidate]:
        """Return one portrait per seed; the seed alone decides the head, its pose and its light."""
        return [self._one(seed) for seed in seeds]

    def _one(self, seed: int) -> Candidate:
        identity, recipe = sample_person(seed, self._people, self._skin_tones), candidate_recipe(seed)
        rendered = self._renderer.render(identity, [recipe], self._size)
        commanded = {
            "yaw": recipe.pose.yaw,
            "expression": recipe.expression.intensity,
            **identity.attributes,
        }
        return Candidate(image=rendered.images[0], attributes=commanded)


class ProceduralConditionalGenerator:
    """Renders the head of an accepted seed under each recipe; the landmarks are the true projected ones."""

    def __init__(self, portrait_size: int, device: str = "cpu", people: PeopleSection = _AS_BEFORE) -> None:
        self._size = portrait_size
        self._people = people
        self._renderer = HeadRenderer(device)

    def generate(self, source: IdentitySource, recipes: Sequence[Recipe]) -> Portraits:
        """Return one clean portrait per recipe, with what belongs to the person (`generate.people`).

        Glasses of a candidate who does not own them are off: a recipe commands every occluder.

        Photographs (`recipe.shot`) are wider by `synfiqa.actors.face3d.render.scene.WIDE`, so that a head has as many
        pixels, and black where their camera does not look. All recipes of a call are of one profile.
        """
        # The accepted tone in place of the weights it was drawn with: all other draws stay as they were.
        tone = int(source.attributes.get("skin_tone", 0))
        weights = [float(tone == step) for step in range(1, 11)] if tone else BALANCED
        identity = sample_person(source.seed, self._people, weights)
        if not self._people.glasses:
            identity = identity.without_glasses()
        shots = any(recipe.shot for recipe in recipes)
        size = round(WIDE * self._size) if shots else self._size

        def part(landmarks: np.ndarray, recipe: Recipe) -> Window:
            return photographed_part(landmarks, recipe, size)

        rendered = self._renderer.render(identity, recipes, size, part if shots else None)
        return Portraits(
            rendered.images,
            rendered.landmarks,
            rendered.occluded_fraction,
            occluded_regions=rendered.occluded_regions,
            face_points=rendered.face_points,
        )


def settings_of(card: ModelCard) -> RenderSettings:
    """Return the checked arguments of a card; UserError for those that do not fit."""
    return arguments_of(card, RenderSettings)


def procedural_identities(card: ModelCard, path: Path, running: Execution) -> ProceduralIdentityGenerator:
    """Return the player of a card that renders pseudo-identities."""
    settings = settings_of(card)
    return ProceduralIdentityGenerator(settings.portrait_size, running.device, settings.skin_tones, settings.people)


def procedural_samples(card: ModelCard, path: Path, running: Execution) -> ProceduralConditionalGenerator:
    """Return the player of a card that renders samples of procedural identities."""
    settings = settings_of(card)
    return ProceduralConditionalGenerator(settings.portrait_size, running.device, settings.people)
