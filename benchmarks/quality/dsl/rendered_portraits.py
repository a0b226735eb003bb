"""Rendered portraits under random degradations, scored by their likeness to the undegraded portrait."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.quality.measures.structural_similarity import portrait_similarity
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem
from synfiqa.fiqa_train.training.dsl.degradation_draws import KINDS, degraded_by, random_degradation
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits, PortraitSet
from synfiqa.schemas.seeds import derive_seed, generator

CLEAN = 0.1
"""Share of portraits that stay as they were rendered."""


@dataclass(frozen=True)
class Kept:
    """Portraits in memory as a source of a training."""

    portraits: KeptPortraits

    def open(self) -> PortraitSet:
        """Return the portraits."""
        return self.portraits


def clean_portraits(seed: int, part: str, identities: int, poses: int, side: int) -> list[PortraitItem]:
    """Return so many portraits of each of so many identities, which differ between parts."""
    renderer, found = HeadRenderer(), []
    for number in range(identities):
        own = derive_seed(seed, "dsl-benchmark", part, number)
        faces = renderer.render(sample_identity(own), reference_recipes(own, 0, poses, "corrected"), side)
        assert faces.face_points is not None
        for pose in range(poses):
            name = f"{part}{number}_{pose}"
            found.append(PortraitItem(name, faces.images[pose], faces.face_points[pose], 1.0, f"{part}{number}"))
    return found


def degraded(clean: Sequence[PortraitItem], copies: int, seed: int) -> KeptPortraits:
    """Return `copies` of each clean portrait under random kinds and strengths, with the SSIM of the face as score."""
    found = []
    for item in clean:
        for copy in range(copies):
            rng = generator(derive_seed(seed, "dsl-benchmark-degradation", item.name, copy))
            image = item.image if rng.random() < CLEAN else random_degradation(item.image, rng)
            score = portrait_similarity(item.image, image, item.landmarks)
            found.append(replace(item, name=f"{item.name}_{copy}", image=image, score=score))
    return KeptPortraits(found)


def of_kinds(clean: Sequence[PortraitItem], seed: int) -> tuple[list[PortraitItem], np.ndarray]:
    """Return each clean portrait under each of the six kinds alone, and the number of the kind, int64 (N,)."""
    found, kinds = [], []
    for item in clean:
        for number, kind in enumerate(KINDS):
            rng = generator(derive_seed(seed, "dsl-benchmark-kind", item.name, kind))
            found.append(replace(item, image=degraded_by(kind, item.image, rng)))
            kinds.append(number)
    return found, np.array(kinds)
