"""Reads a split of GFIQA-20k, CGFIQA-40k or an export in their layout; all of it is checked before any training."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.actors.imaging.codec import image_size, load_photo
from synfiqa.fiqa_train.portraits.gfiqa_layout import DEGRADATIONS, IMAGES, LANDMARKS, SCORES, SPLITS, Split
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem, landmark_fault, require_different_scores
from synfiqa.schemas.errors import UserError

_ENDINGS = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class _Row:
    image: Path
    landmarks: Path
    score: float
    group: str
    degradation: Mapping[str, float]


@dataclass(frozen=True)
class GfiqaFolder(Sequence[PortraitItem]):
    """One split of a set, in order of file names; an item is decoded when it is taken."""

    split: Path
    rows: tuple[_Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return replace(self, rows=self.rows[index])
        row = self.rows[index]
        try:
            image = load_photo(row.image)
        except ValueError as error:
            raise UserError(f"{error}; copy it again") from error
        landmarks = _landmarks(row.landmarks).astype(np.float32)
        return PortraitItem(row.image.stem, image, landmarks, row.score, row.group, row.degradation)

    def __iter__(self) -> Iterator[PortraitItem]:
        return (self[index] for index in range(len(self)))

    @property
    def scores(self) -> np.ndarray:
        """Return the scores as stored, float64 (N,). The published training scales each split to 0..1."""
        return np.array([row.score for row in self.rows], np.float64)

    @property
    def groups(self) -> list[str]:
        """Return the group of each image: its identity, or where the set states none its own name."""
        return [row.group for row in self.rows]


def open_gfiqa(root: Path | str, split: Split = "train", *, crop: int = 0) -> GfiqaFolder:
    """Open a split and check every file of it; images must be at least `crop` x `crop` pixels.

    Checked are headers, landmark arrays and scores, not pixels. UserError, with the file and the remedy, when the split
    or a landmark file is missing, an image has no score or no readable header, a score has no image or is not finite,
    an image is smaller than the crop, landmarks are not 68 finite points or lie outside their image by more than a
    tenth of its larger side, or all scores are equal.
    """
    root = Path(root)
    folder = root / split
    images = _images(root, folder)
    scores = _scores(folder / SCORES)
    if missing := sorted(images.keys() - scores.keys()):
        raise UserError(
            f"{folder / SCORES} has no score of {_some(missing)}: add an entry to Image and MOS, or remove the image "
            f"from {folder / IMAGES}"
        )
    if missing := sorted(scores.keys() - images.keys()):
        raise UserError(
            f"{folder / SCORES} names {_some(missing)}, which {folder / IMAGES} lacks: copy the image there, or remove "
            "its entry"
        )
    require_different_scores(scores.values(), str(folder / SCORES))
    beside = _degradations(folder / DEGRADATIONS)
    rows = []
    for name, image in images.items():
        landmarks = folder / LANDMARKS / f"{image.stem}.npy"
        _check(image, landmarks, crop)
        group, degradation = beside.get(name, (image.stem, {}))
        rows.append(_Row(image, landmarks, scores[name], group, degradation))
    return GfiqaFolder(folder, tuple(rows))


def _images(root: Path, folder: Path) -> dict[str, Path]:
    images = folder / IMAGES
    if not images.is_dir():
        others = [name for name in SPLITS if (root / name / IMAGES).is_dir()]
        there = f"it has {', '.join(others)}" if others else "a set has train/img, val/img or test/img"
        raise UserError(f"{images} is no folder: {there}; name the folder above the splits, and a split of it")
    found = {path.name: path for path in sorted(images.iterdir()) if path.suffix.lower() in _ENDINGS}
    if not found:
        raise UserError(f"{images} holds no PNG or JPEG image: copy those of the set there")
    return found


def _scores(path: Path) -> dict[str, float]:
    document = _document(path, ("Image", "MOS"))
    scores: dict[str, float] = {}
    for name, score in zip(document["Image"], document["MOS"], strict=True):
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise UserError(f"{path} gives {name} the score {score}: put a finite number in its place")
        if scores.setdefault(str(name), float(score)) != score:
            raise UserError(f"{path} gives {name} two scores, {scores[str(name)]:g} and {score:g}: remove one of them")
    return scores


def _degradations(path: Path) -> dict[str, tuple[str, dict[str, float]]]:
    if not path.exists():
        return {}
    document = _document(path, ("Image", "Identity", "Degradation"))
    try:
        return {
            str(name): (str(identity), {str(key): float(value) for key, value in degradation.items()})
            for name, identity, degradation in zip(*document.values(), strict=True)
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path} has a Degradation that maps no names to numbers ({error}): export it again") from error


def _document(path: Path, keys: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return parallel lists of a JSON file."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): copy it from the set") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}): copy it again") from error
    lists = [document.get(key) for key in keys] if isinstance(document, Mapping) else []
    if not lists or not all(isinstance(values, list) for values in lists):
        raise UserError(f"{path} must hold the lists {', '.join(keys)}: copy it again")
    if len({len(values) for values in lists}) > 1:
        sizes = ", ".join(f"{key} {len(values)}" for key, values in zip(keys, lists, strict=True))
        raise UserError(f"{path} must hold lists of one length, not of {sizes} entries: add the missing ones")
    return dict(zip(keys, lists, strict=True))


def _check(image: Path, landmarks: Path, crop: int) -> None:
    try:
        width, height = image_size(image)
    except ValueError as error:
        raise UserError(f"{error}; copy it again") from error
    if min(width, height) < crop:
        raise UserError(
            f"{image} has {width} x {height} pixels, less than the crop of {crop}: take a smaller crop, or images of "
            f"at least {crop} x {crop} (of a run, generate.portrait_size)"
        )
    if fault := landmark_fault(_landmarks(landmarks), width, height):
        raise UserError(f"{landmarks} {fault}: detect the landmarks of {image.name} again, in its own pixels")


def _landmarks(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: detect the 68 landmarks of its image, or remove the image") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is no readable array ({error}): copy it again") from error


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
