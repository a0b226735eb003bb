"""Portraits in memory: one rendered head under operators of degradation, and a way to hand them to a training."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from synfiqa.actors.degradation.operators import gaussian_blur
from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits


@cache
def clean(size=80):
    faces = HeadRenderer(supersample=1).render(sample_identity(5), reference_recipes(5, 0, 1, "corrected"), size)
    return PortraitItem("clean", faces.images[0], faces.face_points[0], 1.0, "5")


def blurred(count, size=80):
    """Portraits whose score falls with their blur."""
    item = clean(size)
    return [
        replace(
            item,
            name=f"p{number}",
            image=gaussian_blur(item.image, 4 * number / count),
            score=1 - number / count,
            degradation={"blur": 4 * number / count},
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Held:
    """A source that is open already."""

    items: tuple

    def open(self):
        return KeptPortraits(self.items)


def scores(items):
    return np.array([item.score for item in items])
