"""Ladders of faults on photographs: how scores fall where the similarity of a real recogniser falls.

Each face is spoilt at five strengths by each of the faults, on the whole photograph before detection. Its real
similarity is the mean cosine of the judge to the person's other photographs, once the mean vector of all undisturbed
faces is subtracted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, spearmanr

from benchmarks.quality.photographs.development import Photo
from benchmarks.quality.photographs.faults import FAULTS
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import align
from synfiqa.actors.imaging.codec import load_photo
from synfiqa.schemas.seeds import derive_seed, generator

LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Strengths of every fault."""

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ladders:
    """R rungs: crops uint8 RGB (R, 112, 112, 3); face, fault, level (0: as it is) and real similarity of each.

    A rung on which no face is found is left out and counted in `missed`.
    """

    crops: np.ndarray
    face: np.ndarray
    fault: np.ndarray
    level: np.ndarray
    similarity: np.ndarray
    missed: int


@dataclass(frozen=True)
class LadderFigures:
    """Agreement of a scorer with real similarity.

    `pooled` is Spearman's correlation over all rungs, `within` its median inside a face, `bias` the mean over faults of
    the absolute difference of mean ranks (0..1), `drops` the fall from no fault to each fault in standard deviations of
    the scores of undisturbed faces, mean over levels.
    """

    pooled: float
    within: float
    bias: float
    drops: dict[str, float]


def ladders_of(photos: Sequence[Photo], faces: int, judge: Embed, seed: int) -> Ladders:
    """Return the rungs of the first found photograph of so many people, spread over those of `photos`."""
    detector = MtcnnDetector()
    people = sorted({photo.person for photo in photos})
    chosen = people[:: max(1, len(people) // faces)][:faces]
    clean = {person: _crops(detector, [load_photo(p.path) for p in photos if p.person == person]) for person in chosen}
    others = {person: [crop for crop in found if crop is not None] for person, found in clean.items()}
    centre = judge(np.stack([crop for found in others.values() for crop in found])).mean(axis=0)
    crops: list[np.ndarray] = []
    rows: list[tuple[int, str, float, float]] = []
    missed = 0
    for number, person in enumerate(chosen):
        mine = next(at for at, crop in enumerate(clean[person]) if crop is not None)
        photo = [p for p in photos if p.person == person][mine]
        names, levels, found = _spoilt(detector, photo, seed)
        found[0] = clean[person][mine]
        kept = [at for at, crop in enumerate(found) if crop is not None]
        missed += len(found) - len(kept)
        stack = np.stack([found[at] for at in kept])
        reference = _units(judge(np.stack(others[person][1:])), centre)
        likeness = (_units(judge(stack), centre) @ reference.T).mean(axis=1)
        crops.extend(stack)
        rows.extend((number, names[at], levels[at], float(value)) for at, value in zip(kept, likeness, strict=True))
    face, fault, level, similarity = zip(*rows, strict=True)
    return Ladders(np.stack(crops), np.array(face), np.array(fault), np.array(level), np.array(similarity), missed)


def figures_of(ladders: Ladders, scores: np.ndarray) -> LadderFigures:
    """Return the figures of scores (R,), higher being better."""
    within = [
        spearmanr(scores[mine], ladders.similarity[mine]).statistic
        for mine in (ladders.face == face for face in np.unique(ladders.face))
    ]
    gap = (rankdata(scores) - rankdata(ladders.similarity)) / len(scores)
    faults = [name for name in FAULTS if (ladders.fault == name).any()]
    plain = scores[ladders.level == 0]
    return LadderFigures(
        float(spearmanr(scores, ladders.similarity).statistic),
        float(np.median(within)),
        float(np.mean([abs(gap[ladders.fault == name].mean()) for name in faults])),
        {name: float((plain.mean() - scores[ladders.fault == name].mean()) / plain.std()) for name in faults},
    )


def brightness(crops: np.ndarray) -> np.ndarray:
    """Return the median grey level (N,) of the middle of each face uint8 RGB (N, 112, 112, 3), a stand-in for skin."""
    return np.asarray(np.median(crops[:, 50:90, 38:74].mean(axis=3), axis=(1, 2)))


def _spoilt(detector: MtcnnDetector, photo: Photo, seed: int) -> tuple[list[str], list[float], list[np.ndarray | None]]:
    pixels = load_photo(photo.path)
    (found,) = detector.detect([pixels])
    assert found is not None
    names, levels, spoilt = [""], [0.0], [pixels]
    for name, fault in FAULTS.items():
        for level in LEVELS:
            random = generator(derive_seed(seed, "ladder", photo.path.name, name))
            names.append(name)
            levels.append(level)
            spoilt.append(fault(pixels, found.landmarks, level, random))
    return names, levels, _crops(detector, spoilt)


def _crops(detector: MtcnnDetector, pictures: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    crops: list[np.ndarray | None] = []
    for picture in pictures:
        (face,) = detector.detect([picture])
        try:
            crops.append(None if face is None else align([picture], face.landmarks[None], antialias=True)[0])
        except ValueError:
            crops.append(None)
    return crops


def _units(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    moved = vectors - centre
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))
