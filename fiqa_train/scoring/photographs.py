"""Quality scores of photographs: detection, alignment, scoring; a reason where there is no score."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import Literal

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.roles import Detection, Detector, QualityScorer
from synfiqa.fiqa_train.scoring.photo_list import Photo, PhotoList, find_photos

__all__ = ["NO_FACE", "Photo", "PhotoList", "Score", "SearchOptions", "find_photos", "score_photos"]

NO_FACE = "no face found"
BATCH = 8
"""Photographs in memory at once, unless options state another number."""


@dataclass(frozen=True)
class Score:
    """Scores of one face of a photograph by name of the scorer, or none of them and the reason.

    `face` counts from 0 among the `faces` found in the photograph. `detection` is the probability of the face, `box`
    its (x0, y0, x1, y1) and `landmarks` its (5, 2) x, y, in pixels of the photograph; None without detection.
    `search_size` is the long side in pixels at which the photograph was searched; None where it was not.
    """

    path: str
    face: int = 0
    faces: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    detection: float | None = None
    box: tuple[float, float, float, float] | None = None
    landmarks: np.ndarray | None = None
    search_size: int | None = None

    @property
    def score(self) -> float | None:
        """The score of the first scorer, or None."""
        return next(iter(self.scores.values()), None)


@dataclass(frozen=True)
class SearchOptions:
    """How faces are found: none searched for where photographs are `aligned` crops of 112 x 112 pixels.

    `all_faces` scores every face, else one: `which` is the "largest", or the "central" one, whose size and nearness to
    the centre are greatest. Faces less than `min_face` pixels wide are left out. `search_size` is the long side in
    pixels at which photographs are searched; None chooses it from their size. `batch` photographs are in memory at
    once.
    """

    aligned: bool = False
    all_faces: bool = False
    which: Literal["largest", "central"] = "largest"
    min_face: int | None = None
    search_size: int | None = None
    device: str = "cpu"
    batch: int = BATCH


def score_photos(
    photos: Iterable[Photo],
    scorers: Mapping[str, QualityScorer],
    options: SearchOptions | None = None,
    detector: Detector | None = None,
) -> Iterator[Score]:
    """Yield the scores of each photograph in order, one or more rows each.

    A photograph that cannot be read and one without a face have one row with the reason. `detector` replaces that of
    the options.
    """
    options = options or SearchOptions()
    detector = detector or (None if options.aligned else MtcnnDetector(options.device))
    for batch in batched(photos, options.batch):
        yield from _score_batch(batch, scorers, options, detector)


def _score_batch(
    photos: Sequence[Photo], scorers: Mapping[str, QualityScorer], options: SearchOptions, detector: Detector | None
) -> list[Score]:
    rows: list[list[Score]] = [[] for _ in photos]
    images: dict[int, np.ndarray] = {}
    for index, photo in enumerate(photos):
        try:
            images[index] = _pixels(photo)
        except (OSError, ValueError) as error:
            rows[index] = [Score(photo.name, reason=str(error))]
    crops: list[np.ndarray] = []
    places: list[tuple[int, int]] = []
    if detector is None:
        for index, image in images.items():
            rows[index] = [Score(photos[index].name, faces=1)]
            if image.shape == (ARCFACE_SIZE, ARCFACE_SIZE, 3):
                crops.append(image)
                places.append((index, 0))
            else:
                reason = f"{image.shape[1]} x {image.shape[0]} pixels: an aligned crop has 112 x 112"
                rows[index] = [Score(photos[index].name, reason=reason)]
    else:
        found = detector.faces(list(images.values()))
        for (index, image), faces in zip(images.items(), found, strict=True):
            name = photos[index].name
            rows[index] = [
                Score(name, number, len(faces), {}, "", face.probability, _box(face), face.landmarks)
                for number, face in enumerate(faces if options.all_faces else faces[:1])
            ] or [Score(name, reason=NO_FACE)]
            for number, face in enumerate(faces[: len(rows[index])]):
                try:
                    crops.append(align([image], face.landmarks[None], antialias=True)[0])
                    places.append((index, number))
                except ValueError as error:
                    rows[index][number] = replace(rows[index][number], reason=str(error))
    if crops:
        values = {name: scorer.score(np.stack(crops)) for name, scorer in scorers.items()}
        for position, (index, number) in enumerate(places):
            found_scores = {name: float(values[name][position]) for name in scorers}
            rows[index][number] = replace(rows[index][number], scores=found_scores)
    return [row for part in rows for row in part]


def _pixels(photo: Photo) -> np.ndarray:
    try:
        content = photo.read()
    except OSError as error:
        raise ValueError(f"{photo.name} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{photo.name} cannot be read: {error}") from error
    if isinstance(content, np.ndarray):
        return content
    if not content:
        raise ValueError(f"{photo.name} is empty")
    return decode(content, photo.name)


def _box(face: Detection) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(value) for value in face.box)
    return x0, y0, x1, y1
