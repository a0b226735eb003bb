"""Faces of people on all ladders of photographs as arrays, and their vectors by a network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.camera_ladders.rungs import Ladders, rungs_of, steps_of
from benchmarks.quality.people.portraits import vectors_of
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.actors.roles import Detector
from synfiqa.schemas.factors.photograph_ladders import PHOTOGRAPH_LADDERS


@dataclass(frozen=True, eq=False)
class Faces:
    """Aligned faces (P, F, 112, 112, 3) of P people: R references, one without faults, then the levels of all ladders.

    `detected` (P, F) is false where the detector found none, and the true landmarks aligned it.
    """

    images: np.ndarray
    detected: np.ndarray
    references: int
    ladders: Ladders

    def places(self, ladder: int) -> np.ndarray:
        """Return where the faces of a ladder stand in F, the one without faults first."""
        return self.references + np.array([0, *(1 + step for step in steps_of(self.ladders, ladder))])

    def vectors(self, embedder: str) -> np.ndarray:
        """Return float32 unit vectors (P, F, D) by an embedder of the catalogue."""
        flat = vectors_of(self.images.reshape(-1, *self.images.shape[2:]), embedder)
        return flat.reshape(*self.images.shape[:2], -1)


def faces_of_people(
    seed: int, people: Sequence[int], detector: Detector, references: int = 4, ladders: Ladders = PHOTOGRAPH_LADDERS
) -> Faces:
    """Make the faces of these people of a seed."""
    renderer = HeadRenderer()
    images, detected = [], []
    for number in people:
        rungs = rungs_of(seed, number, renderer, detector, references, ladders)
        taken = [*rungs.references, rungs.clean, *rungs.steps]
        images.append(np.stack([rung.face for rung in taken]))
        detected.append([rung.detected for rung in taken])
    return Faces(np.stack(images), np.array(detected), references, ladders)
