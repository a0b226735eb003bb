"""Ladders of faults on photographs: how scores fall where the similarity of a real recogniser falls.

Each face is spoilt at five strengths by each of the faults, on the whole photograph before detection. Its real
similarity is the mean cosine of the judge to the person's other photographs, once the mean vector of all undisturbed
faces is subtracted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, spearmanr

from benchmarks.quality.photographs.development import Photo
from benchmarks.quality.photographs.faces import crop_of
from benchmarks.quality.photographs.faults import FAULTS
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.codec import load_photo
from synfiqa.fiqa_train.labels.centred.cosines import centred
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
    """Return the rungs of the first photograph with a face of so many people, spread over those of `photos`."""
    detector = MtcnnDetector()
    people = sorted({photo.person for photo in photos})
    chosen = people[:: max(1, len(people) // faces)][:faces]
    found = [_faces(detector, [photo for photo in photos if photo.person == person]) for person in chosen]
    vectors = [judge(np.stack([face.crop for face in own])) for own in found]
    centre = np.concatenate(vectors).mean(axis=0)
    crops: list[np.ndarray] = []
    rows: list[tuple[int, str, float, float]] = []
    missed = 0
    for number, ((first, *_), own) in enumerate(zip(found, vectors, strict=True)):
        rungs = [("", 0.0, first.crop), *_spoilt(detector, first, seed)]
        kept = [(fault, level, crop) for fault, level, crop in rungs if crop is not None]
        missed += len(rungs) - len(kept)
        stack = np.stack([crop for *_, crop in kept])
        likeness = (centred(judge(stack), centre) @ centred(own[1:], centre).T).mean(axis=1)
        crops.extend(stack)
        rows.extend(
            (number, fault, level, float(value)) for (fault, level, _), value in zip(kept, likeness, strict=True)
        )
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


@dataclass(frozen=True)
class _Face:
    photo: Photo
    pixels: np.ndarray
    landmarks: np.ndarray
    crop: np.ndarray


def _faces(detector: MtcnnDetector, photos: Sequence[Photo]) -> list[_Face]:
    """Return the faces of the photographs of a person, without those in which none is found."""
    faces = []
    for photo in photos:
        pixels = load_photo(photo.path)
        (face,) = detector.detect([pixels])
        if face is not None and (crop := crop_of(pixels, face)) is not None:
            faces.append(_Face(photo, pixels, face.landmarks, crop))
    return faces


def _spoilt(detector: MtcnnDetector, face: _Face, seed: int) -> Iterator[tuple[str, float, np.ndarray | None]]:
    """Yield each fault and level, and the crop of the photograph spoilt by it, None where no face is found."""
    for name, fault in FAULTS.items():
        for level in LEVELS:
            random = generator(derive_seed(seed, "ladder", face.photo.path.name, name))
            picture = fault(face.pixels, face.landmarks, level, random)
            (found,) = detector.detect([picture])
            yield name, level, crop_of(picture, found)
