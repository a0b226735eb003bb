"""Quality scores of photographs: detection, alignment, scoring; a reason where there is no score."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import Literal, Protocol

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import enlarged
from synfiqa.actors.face_analysis.photo_search.search import PhotoSearch, Searched
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align
from synfiqa.actors.roles import Detection, QualityScorer
from synfiqa.fiqa_train.datasets.photo_files import foremost_face
from synfiqa.fiqa_train.scoring.photo_list import Photo, PhotoList
from synfiqa.fiqa_train.scoring.photo_sources import find_photos
from synfiqa.fiqa_train.scoring.read_ahead import ReadPhoto, read_ahead

__all__ = ["NO_FACE", "Photo", "PhotoList", "Score", "SearchOptions", "find_photos", "score_photos"]

NO_FACE = "no face found"
BATCH = 8
"""Photographs whose faces are scored together, unless options state another number."""


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


class FaceFinder(Protocol):
    """Finds the faces of one photograph at sizes that it chooses."""

    def search(self, image: np.ndarray, reduction: float = 1.0) -> Searched:
        """Return the faces of uint8 RGB (H, W, 3), largest first, in its pixels.

        One pixel of the image is `reduction` pixels of the photograph.
        """
        ...


def score_photos(
    photos: Iterable[Photo],
    scorers: Mapping[str, QualityScorer],
    options: SearchOptions | None = None,
    finder: FaceFinder | None = None,
) -> Iterator[Score]:
    """Yield the scores of each photograph in order, one or more rows each.

    A photograph that cannot be read and one without a face have one row with the reason. Photographs are read and
    decoded ahead in threads. `finder` replaces that of the options.
    """
    options = options or SearchOptions()
    finder = finder or (None if options.aligned else new_finder(options))
    for batch in batched(read_ahead(photos), options.batch):
        yield from _scored([rows_of(photo, finder, options) for photo in batch], scorers)


def new_finder(options: SearchOptions) -> FaceFinder:
    """Return the search for faces that the options describe; UserError for sizes that hold no face."""
    central = options.which == "central"
    return PhotoSearch(options.device, options.all_faces, options.min_face, options.search_size, thorough=central)


def rows_of(
    photo: ReadPhoto, finder: FaceFinder | None, options: SearchOptions
) -> list[tuple[Score, np.ndarray | None]]:
    """Return the rows of one photograph before it is scored, each with its aligned face, or None beside a reason."""
    if photo.pixels is None:
        return [(Score(photo.name, reason=photo.reason), None)]
    if finder is None:
        height, width = photo.pixels.shape[:2]
        if (height, width) == (ARCFACE_SIZE, ARCFACE_SIZE):
            return [(Score(photo.name, faces=1), photo.pixels)]
        reason = (
            f"{photo.name} has {width} x {height} pixels: an aligned crop has 112 x 112, so score it as a photograph"
        )
        return [(Score(photo.name, reason=reason), None)]
    width, height = photo.size
    searched = finder.search(photo.pixels, max(photo.size) / max(photo.pixels.shape[:2]))
    faces = _foremost_first(searched.faces, photo.pixels.shape[:2], options.which)
    rows: list[tuple[Score, np.ndarray | None]] = []
    for number, face in enumerate(faces if options.all_faces else faces[:1]):
        place = enlarged(face, photo.pixels.shape[:2], (height, width))
        x0, y0, x1, y1 = (float(value) for value in place.box)
        row = Score(
            photo.name, number, len(faces), {}, "", face.probability, (x0, y0, x1, y1), place.landmarks, searched.size
        )
        try:
            rows.append((row, align([photo.pixels], face.landmarks[None], antialias=True)[0]))
        except ValueError as error:
            rows.append((replace(row, reason=str(error)), None))
    return rows or [(Score(photo.name, reason=NO_FACE, search_size=searched.size), None)]


def _foremost_first(faces: list[Detection], size: tuple[int, int], which: str) -> list[Detection]:
    """Return the faces, largest first as they came, with the central one brought to the front if it is wanted."""
    if which == "largest" or not faces:
        return faces
    first = foremost_face(faces, size)
    return [face for face in faces if face is first] + [face for face in faces if face is not first]


def _scored(
    photos: Sequence[list[tuple[Score, np.ndarray | None]]], scorers: Mapping[str, QualityScorer]
) -> Iterator[Score]:
    rows = [row for photo in photos for row in photo]
    crops = [crop for _, crop in rows if crop is not None]
    values = {name: iter(scorer.score(np.stack(crops))) for name, scorer in scorers.items()} if crops else {}
    for row, crop in rows:
        yield row if crop is None else replace(row, scores={name: float(next(found)) for name, found in values.items()})
