"""Quality scores of photographs: detection, alignment, scoring; a reason where there is no score."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import align
from synfiqa.actors.imaging.codec import load_photo
from synfiqa.actors.roles import Detection, Detector, QualityScorer
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg jpe jfif png webp tif tiff bmp gif ppm pgm jp2 j2k tga avif mpo".split()  # noqa: SIM905
)
"""File name endings (lower case) of photographs inside a folder; a file named directly may have any."""

NO_FACE = "no face found"
BATCH = 8
"""Photographs in memory at once."""


@dataclass(frozen=True)
class Score:
    """Score of one photograph, or None with the reason; probability and box (x0, y0, x1, y1) of the face, pixels."""

    path: str
    score: float | None = None
    reason: str = ""
    detection: float | None = None
    box: tuple[float, float, float, float] | None = None


def find_photos(paths: Sequence[str | Path]) -> list[Path]:
    """List the files named and all photographs below the folders named, sorted within each, none twice.

    Raises UserError when a path does not exist or nothing is found.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = (folder / name for folder, _, names in path.walk() for name in names)
            found |= dict.fromkeys(sorted(file for file in inside if file.suffix.lower() in SUFFIXES))
        elif path.exists():
            found[path] = None
        else:
            raise UserError(f"{path} does not exist: name photographs or folders of them")
    if not found:
        raise UserError(f"there is no photograph in {', '.join(map(str, paths))}: name files, or folders with images")
    return list(found)


def score(paths: Sequence[str | Path], model: str = BUNDLED_QUALITY, device: str = "cpu") -> list[Score]:
    """Score photographs, or all below folders, in the order of `find_photos`; higher is better.

    `model` is a scorer by name (bundled-quality, the default, sharpness, norm, ...), or a run folder, a model folder
    or a .safetensors file (path or URL). A photograph that cannot be scored has a reason instead. UserError for a
    missing path or a source without a model.
    """
    scorer = open_scorer(str(model), device)
    return list(score_photos(find_photos(paths), scorer, MtcnnDetector(device)))


def score_photos(photos: Iterable[Path], model: QualityScorer, detector: Detector) -> Iterator[Score]:
    """Yield the score of each photograph in order; a reason for unreadable ones and those without a face."""
    batch: list[Path] = []
    for photo in photos:
        batch.append(photo)
        if len(batch) == BATCH:
            yield from _score_batch(batch, model, detector)
            batch = []
    yield from _score_batch(batch, model, detector)


def _score_batch(photos: list[Path], model: QualityScorer, detector: Detector) -> list[Score]:
    rows: dict[Path, Score] = {}
    images: dict[Path, np.ndarray] = {}
    for photo in photos:
        try:
            images[photo] = load_photo(photo)
        except ValueError as error:
            rows[photo] = Score(str(photo), reason=str(error))
    faces: dict[Path, np.ndarray] = {}
    found = dict(zip(images, detector.detect(list(images.values())), strict=True))
    for photo, detection in found.items():
        if detection is None:
            rows[photo] = Score(str(photo), reason=NO_FACE)
            continue
        try:
            faces[photo] = align([images[photo]], detection.landmarks[None], antialias=True)[0]
        except ValueError as error:
            rows[photo] = _row(photo, detection, None, str(error))
    if faces:
        for photo, score in zip(faces, model.score(np.stack(list(faces.values()))), strict=True):
            detection = found[photo]
            assert detection is not None
            rows[photo] = _row(photo, detection, float(score), "")
    return [rows[photo] for photo in photos]


def _row(photo: Path, detection: Detection, score: float | None, reason: str) -> Score:
    x0, y0, x1, y1 = (float(value) for value in detection.box)
    return Score(str(photo), score, reason, detection.probability, (x0, y0, x1, y1))
