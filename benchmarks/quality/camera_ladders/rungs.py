"""Photographs of one person on the ladders of photographs: references, one without faults, each level of each factor.

Made like samples of the profile `camera`: rendered, photographed, detected, aligned. Seeds are of no run, training set
or other benchmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.actors.face3d.render.scene import WIDE
from synfiqa.actors.face3d.shape.person import sample_person
from synfiqa.actors.generation.conditional.photographed_faces import photographed_faces
from synfiqa.actors.roles import Detector
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.config.people import PRESETS
from synfiqa.schemas.factors.factor import Factor, Ladder, Signs
from synfiqa.schemas.factors.photograph_ladders import PHOTOGRAPH_LADDERS
from synfiqa.schemas.recipe import Expression, Pose, Recipe, Shot
from synfiqa.schemas.seeds import derive_seed, generator

PORTRAIT_SIZE = 192
_SEEDS = "camera-ladders"

Ladders = Sequence[tuple[Factor, Ladder]]


@dataclass(frozen=True, eq=False)
class Rung:
    """One photograph: recipe, rendered portrait (S, S, 3) with landmarks (5, 2), and the aligned face (112, 112, 3)."""

    recipe: Recipe
    portrait: np.ndarray
    landmarks: np.ndarray
    face: np.ndarray
    detected: bool


@dataclass(frozen=True, eq=False)
class Rungs:
    """One person's references, the photograph without faults, and the levels after the first, ladder after ladder."""

    references: list[Rung]
    clean: Rung
    steps: list[Rung]


def rungs_of(
    seed: int,
    number: int,
    renderer: HeadRenderer,
    detector: Detector,
    references: int = 4,
    ladders: Ladders = PHOTOGRAPH_LADDERS,
) -> Rungs:
    """Make the rungs of the number-th person of a seed, with so many references."""
    count = references + 1
    settings = GenerateSection(profile="camera", portrait_size=PORTRAIT_SIZE, references=max(2, count), degraded=1)
    drawn = identity_recipes(derive_seed(seed, _SEEDS, "recipes"), number, settings)[:count]
    base, signs = faultless(drawn[-1]), signs_of(seed, number)
    recipes, rendered = [*drawn[:-1], base], [*drawn[:-1], base]
    for row, ladder in ladders:
        steps = [row.at_level(base, ladder, level, signs) for level in ladder.levels[1:]]
        recipes += steps
        # What acts in the camera alone needs no other portrait.
        rendered += steps if row.where == "render" else [base] * len(steps)
    different = list(dict.fromkeys(rendered))
    someone = sample_person(derive_seed(seed, _SEEDS, "identity", number), PRESETS["varied"])
    shown = renderer.render(someone, different, round(WIDE * PORTRAIT_SIZE))
    places = [different.index(recipe) for recipe in rendered]
    portraits, landmarks = [shown.images[place] for place in places], [shown.landmarks[place] for place in places]
    faces = photographed_faces(portraits, landmarks, recipes, detector)
    taken = [
        Rung(recipe, portrait, points, face.image, face.detected)
        for recipe, portrait, points, face in zip(recipes, portraits, landmarks, faces, strict=True)
    ]
    return Rungs(taken[:references], taken[references], taken[references + 1 :])


def steps_of(ladders: Ladders, place: int) -> range:
    """Return where the levels after the first of the ladder at a place stand among `Rungs.steps`."""
    lengths = [len(ladder.levels) - 1 for _, ladder in ladders]
    start = sum(lengths[:place])
    return range(start, start + lengths[place])


def faultless(reference: Recipe) -> Recipe:
    """Return a reference's recipe as that of a sample without any fault: neutral, frontal, a perfect camera.

    Light, backdrop and the place of the face in the picture are the reference's.
    """
    taken = reference.shot or Shot()
    shot = Shot(shift_x=taken.shift_x, shift_y=taken.shift_y, quality=100)
    neutral = {"kind": "degraded", "pose": Pose(), "expression": Expression(), "shot": shot}
    return Recipe(**{**dict(reference), **neutral})


def signs_of(seed: int, number: int) -> Signs:
    """Return the sides of the number-th person's ladders."""
    side, nod, turn = (int(sign) for sign in generator(derive_seed(seed, _SEEDS, "signs", number)).choice([-1, 1], 3))
    return Signs(side=side, nod=nod, turn=turn)
