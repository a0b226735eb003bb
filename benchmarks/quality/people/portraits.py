"""Aligned faces of rendered candidates that pass the filter, and their unit vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.face_analysis.line_glasses import glasses_score
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.generation.conditional.procedural import ProceduralIdentityGenerator
from synfiqa.actors.imaging.alignment import align
from synfiqa.actors.players import player
from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.actors.stages.filter_rules import Measured, judge
from synfiqa.schemas.config.generate import FilterSection
from synfiqa.schemas.config.people import PeopleSection
from synfiqa.schemas.seeds import derive_seed

PORTRAIT_SIZE = 128


@dataclass(frozen=True)
class Portraits:
    """N aligned faces uint8 RGB (N, 112, 112, 3) of different people, and the number of candidates made for them."""

    faces: np.ndarray
    candidates: int


def portraits_of(people: PeopleSection, wanted: int, seed: int, limit: int = 0) -> Portraits:
    """Return the first `wanted` candidates that pass the default filter, detected and aligned as in a run.

    Seeds are of no run, bootstrap or other benchmark. `limit` bounds the candidates (0: four for each wanted). Yaw and
    expression are the commanded ones, glasses the larger of commanded and measured.
    """
    generator, detector, rules = (
        ProceduralIdentityGenerator(PORTRAIT_SIZE, people=people),
        MtcnnDetector(),
        FilterSection(),
    )
    faces: list[np.ndarray] = []
    number = 0
    while len(faces) < wanted and number < (limit or 4 * wanted):
        (candidate,) = generator.generate([derive_seed(seed, "people-benchmark", number)])
        number += 1
        (found,) = detector.detect([candidate.image])
        if found is None:
            continue
        face = align([candidate.image], found.landmarks[None].astype(np.float32))
        commanded = candidate.attributes
        measured = Measured(
            detection=found.probability,
            yaw=float(commanded["yaw"]),
            expression=float(commanded["expression"]),
            glasses=max(float(commanded["glasses"]), float(glasses_score(face)[0])),
            owns_glasses=bool(commanded.get("own_glasses", False)),
        )
        if not judge(measured, rules)[0]:
            faces.append(face[0])
    return Portraits(np.stack(faces), number)


def vectors_of(faces: np.ndarray, embedder: str) -> np.ndarray:
    """Return float32 unit vectors (N, D) of aligned faces by an embedder of the catalogue."""
    network = player(ScorerSettings().catalogue.model(embedder, "embedder"))
    parts: Sequence[np.ndarray] = [network.embed(faces[start : start + 64]) for start in range(0, len(faces), 64)]
    return np.concatenate(parts)
