"""Portraits that a training reads: their contract, sets in memory, and what must be wrong with none of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from synfiqa.fiqa_train.portraits.gfiqa_folder import open_gfiqa
from synfiqa.fiqa_train.portraits.gfiqa_layout import Split
from synfiqa.fiqa_train.portraits.portrait_item import landmark_fault, require_different_scores
from synfiqa.fiqa_train.portraits.run_portraits import RunPortraits
from synfiqa.schemas.errors import UserError

FEWEST = 2
"""Portraits of a split at least: a rank correlation needs two."""


class Portrait(Protocol):
    """A portrait: `image` uint8 RGB (H, W, 3), `landmarks` float32 (68, 2) x, y in its pixels, score, identity.

    `degradation` holds recorded values of operators by name; empty for clean and for real images. `clean` is the image
    without degradation, scored by `measure` of `PORTRAIT_MEASURES`, where both are known.
    """

    @property
    def image(self) -> np.ndarray:
        """Pixels, at least as many as a crop has."""

    @property
    def landmarks(self) -> np.ndarray:
        """Points of the iBUG mark-up."""

    @property
    def score(self) -> float:
        """Opinion or measure; higher is better."""

    @property
    def group(self) -> str:
        """Identity."""

    @property
    def degradation(self) -> Mapping[str, float]:
        """Values of the operators."""

    @property
    def clean(self) -> np.ndarray | None:
        """Image without degradation, None where it is not known."""

    @property
    def measure(self) -> str:
        """Name of the measure that the score is, "" for another score."""


class PortraitSet(Protocol):
    """Portraits by number; a portrait may be decoded at each access, by threads."""

    def __len__(self) -> int:
        """Return the number of portraits."""

    def __getitem__(self, index: int) -> Portrait:
        """Return a portrait."""

    @property
    def scores(self) -> np.ndarray:
        """Scores as stored, float64 (N,)."""

    @property
    def groups(self) -> Sequence[str]:
        """Identity of each portrait."""


@dataclass(frozen=True, eq=False)
class KeptPortraits:
    """Portraits in memory."""

    items: Sequence[Portrait]

    @classmethod
    def of(cls, items: Iterable[Portrait], crop: int, where: str) -> "KeptPortraits":
        """Keep portraits; UserError, naming the portrait, for one that no training on crops of this side can use."""
        kept = list(items)
        for number, item in enumerate(kept):
            require_portrait(item, crop, f"{where}: portrait {getattr(item, 'name', number)}")
        return cls(kept)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Portrait:
        return self.items[index]

    @property
    def scores(self) -> np.ndarray:
        """Scores as stored, float64 (N,)."""
        return np.array([item.score for item in self.items], np.float64)

    @property
    def groups(self) -> list[str]:
        """Identity of each portrait."""
        return [item.group for item in self.items]


class PortraitSource(Protocol):
    """Portraits that travel to workers unopened."""

    def open(self) -> PortraitSet:
        """Return the portraits; UserError for damaged ones."""


@dataclass(frozen=True)
class FolderPortraits:
    """A split of a folder in the layout of GFIQA-20k."""

    root: str
    split: Split
    crop: int

    def open(self) -> PortraitSet:
        """Return the portraits; UserError where `open_gfiqa` has one."""
        return open_gfiqa(self.root, self.split, crop=self.crop)


@dataclass(frozen=True)
class RunSplit:
    """The portraits of a run whose identities belong to one split, kept in memory."""

    portraits: RunPortraits
    identities: frozenset[int]
    crop: int

    def open(self) -> PortraitSet:
        """Return the portraits; UserError for one that is too small."""
        own = (item for item in self.portraits if int(item.group) in self.identities)
        return KeptPortraits.of(own, self.crop, "the run")


@dataclass(frozen=True)
class PortraitData:
    """What a training of DSL-FIQA reads: portraits to learn from, to validate on, and the unlabelled set R.

    `unlabelled` None: those that are learned from.
    """

    train: PortraitSource
    validation: PortraitSource
    unlabelled: PortraitSource | None = None


def require_portrait(item: Portrait, crop: int, where: str) -> None:
    """Raise UserError for an image smaller than a crop, landmarks outside of it, or a score that is not finite."""
    height, width = item.image.shape[:2]
    if min(height, width) < crop:
        raise UserError(
            f"{where} has {width} x {height} pixels, less than the crop of {crop}: take images of at least "
            f"{crop} x {crop} (of a run, generate.portrait_size), or train.network dsl-compact with crops of 128"
        )
    if fault := landmark_fault(np.asarray(item.landmarks), width, height):
        raise UserError(f"{where} {fault}: detect its landmarks again, in its own pixels")
    if not np.isfinite(item.score):
        raise UserError(f"{where} has the score {item.score}: put a finite number in its place")


def require_split(portraits: PortraitSet, where: str) -> None:
    """Raise UserError for fewer than two portraits, or scores that all are equal."""
    if len(portraits) < FEWEST:
        raise UserError(f"{where} has {len(portraits)} portraits: a training needs at least {FEWEST}, add some")
    require_different_scores(portraits.scores.tolist(), where)
