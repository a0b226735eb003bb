"""Quality scores of photographs: detection, alignment, scoring; a reason where there is no score."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import Literal, Protocol

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import enlarged
from synfiqa.actors.face_analysis.photo_search.search import PhotoSearch, Searched
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align_smoothly
from synfiqa.actors.roles import Detection, PortraitScorer, QualityScorer, takes_portraits
from synfiqa.fiqa_train.datasets.photo_files import foremost_face
from synfiqa.fiqa_train.scoring.photo_list import Photo, PhotoList
from synfiqa.fiqa_train.scoring.photo_sources import find_photos
from synfiqa.fiqa_train.scoring.read_ahead import ReadPhoto, read_ahead
from synfiqa.schemas.errors import UserError

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


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face to score: its aligned crop uint8 (112, 112, 3), and where it lies: photograph and landmarks (5, 2).

    The landmarks are in the pixels of `photograph`; None of a crop that was aligned before.
    """

    crop: np.ndarray
    photograph: np.ndarray
    landmarks: np.ndarray | None


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
    decoded ahead in threads. `finder` replaces that of the options. UserError for a scorer of portraits where
    photographs are aligned crops.
    """
    options = options or SearchOptions()
    if options.aligned and (portraits := [name for name, scorer in scorers.items() if takes_portraits(scorer)]):
        raise UserError(
            f"{portraits[0]} scores portraits, and aligned crops of 112 x 112 show no whole head: score photographs "
            "without --aligned, or choose another --model"
        )
    finder = finder or (None if options.aligned else new_finder(options))
    for batch in batched(read_ahead(photos), options.batch):
        yield from _scored([rows_of(photo, finder, options) for photo in batch], scorers)


def new_finder(options: SearchOptions) -> FaceFinder:
    """Return the search for faces that the options describe; UserError for sizes that hold no face."""
    central = options.which == "central"
    return PhotoSearch(options.device, options.all_faces, options.min_face, options.search_size, thorough=central)


def rows_of(
    photo: ReadPhoto, finder: FaceFinder | None, options: SearchOptions
) -> list[tuple[Score, FoundFace | None]]:
    """Return the rows of one photograph before it is scored, each with its face, or None beside a reason."""
    if photo.pixels is None:
        return [(Score(photo.name, reason=photo.reason), None)]
    if finder is None:
        height, width = photo.pixels.shape[:2]
        if (height, width) == (ARCFACE_SIZE, ARCFACE_SIZE):
            return [(Score(photo.name, faces=1), FoundFace(photo.pixels, photo.pixels, None))]
        reason = (
            f"{photo.name} has {width} x {height} pixels: an aligned crop has 112 x 112, so score it as a photograph"
        )
        return [(Score(photo.name, reason=reason), None)]
    width, height = photo.size
    searched = finder.search(photo.pixels, max(photo.size) / max(photo.pixels.shape[:2]))
    faces = _foremost_first(searched.faces, photo.pixels.shape[:2], options.which)
    rows: list[tuple[Score, FoundFace | None]] = []
    for number, face in enumerate(faces if options.all_faces else faces[:1]):
        place = enlarged(face, photo.pixels.shape[:2], (height, width))
        x0, y0, x1, y1 = (float(value) for value in place.box)
        row = Score(
            photo.name, number, len(faces), {}, "", face.probability, (x0, y0, x1, y1), place.landmarks, searched.size
        )
        try:
            crop = align_smoothly(photo.pixels, face.landmarks)
            rows.append((row, FoundFace(crop, photo.pixels, face.landmarks)))
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
    photos: Sequence[list[tuple[Score, FoundFace | None]]], scorers: Mapping[str, QualityScorer]
) -> Iterator[Score]:
    rows = [row for photo in photos for row in photo]
    faces = [face for _, face in rows if face is not None]
    values = {name: iter(_values(scorer, faces)) for name, scorer in scorers.items()} if faces else {}
    for row, face in rows:
        yield row if face is None else replace(row, scores={name: float(next(found)) for name, found in values.items()})


def _values(scorer: QualityScorer, faces: Sequence[FoundFace]) -> np.ndarray:
    """Return the scores (N,) of faces: of their crops, or of their portraits for a scorer that takes these."""
    if not takes_portraits(scorer):
        return scorer.score(np.stack([face.crop for face in faces]))
    assert isinstance(scorer, PortraitScorer)
    places = [face.landmarks for face in faces if face.landmarks is not None]
    return scorer.score_faces([face.photograph for face in faces], places)
