"""Rendered portraits under random degradations, scored by their likeness to the undegraded portrait."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import torch

from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.quality.measures.portrait_measures import DEFAULT_MEASURE, PORTRAIT_MEASURES
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


def clean_portraits(
    seed: int, part: str, identities: int, poses: int, side: int, processes: int = 1
) -> list[PortraitItem]:
    """Return so many portraits of each of so many identities, which differ between parts and from those of all runs."""
    jobs = [(seed, part, number, poses, side) for number in range(identities)]
    if processes == 1:
        rendered = [_portraits(job) for job in jobs]
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            rendered = list(pool.map(_portraits, jobs, chunksize=4))
    return [item for own in rendered for item in own]


def _portraits(job: tuple[int, str, int, int, int]) -> list[PortraitItem]:
    seed, part, number, poses, side = job
    own = derive_seed(seed, "bundled-portraits", part, number)
    faces = HeadRenderer().render(sample_identity(own), reference_recipes(own, 0, poses, "corrected"), side)
    assert faces.face_points is not None
    return [
        PortraitItem(f"{part}{number}_{pose}", faces.images[pose], faces.face_points[pose], 1.0, f"{part}{number}")
        for pose in range(poses)
    ]


def _one_thread() -> None:
    torch.set_num_threads(1)


def degraded(clean: Sequence[PortraitItem], copies: int, seed: int) -> KeptPortraits:
    """Return `copies` of each clean portrait under random kinds and strengths, scored by the default measure."""
    found = []
    for item in clean:
        for copy in range(copies):
            rng = generator(derive_seed(seed, "bundled-portraits", "degradation", item.name, copy))
            image = item.image if rng.random() < CLEAN else random_degradation(item.image, rng)
            score = PORTRAIT_MEASURES[DEFAULT_MEASURE][0](item.image, image, item.landmarks)
            made = replace(item, name=f"{item.name}_{copy}", image=image, score=score)
            found.append(replace(made, clean=item.image, measure=DEFAULT_MEASURE))
    return KeptPortraits(found)


def of_kinds(clean: Sequence[PortraitItem], seed: int) -> tuple[list[PortraitItem], np.ndarray]:
    """Return each clean portrait under each of the six kinds alone, and the number of the kind, int64 (N,)."""
    found, kinds = [], []
    for item in clean:
        for number, kind in enumerate(KINDS):
            rng = generator(derive_seed(seed, "bundled-portraits", "kind", item.name, kind))
            found.append(replace(item, image=degraded_by(kind, item.image, rng)))
            kinds.append(number)
    return found, np.array(kinds)
