"""A test set: aligned faces in batches with an id each, their identities or templates, and the pairs to compare."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from synfiqa.fiqa_train.datasets.pair_table import PairTable
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest

ALIGNED = "aligned crops as they are"
DETECTED = "photographs, of each the largest and most central face that MTCNN detects, aligned by five landmarks"
LISTED_POINTS = "photographs, aligned by the five landmarks of the set"


@dataclass(frozen=True)
class Crops:
    """The next images of a set, uint8 RGB (n, 112, 112, 3); `reasons` (n,) are empty where there is a face.

    `photographs` are those that the crops were cut from, uint8 RGB (H, W, 3), with five landmarks (5, 2) each, None
    without a face; both are empty where a set has aligned crops alone.
    """

    images: np.ndarray
    reasons: tuple[str, ...]
    photographs: tuple[np.ndarray, ...] = ()
    landmarks: tuple[np.ndarray | None, ...] = ()


@runtime_checkable
class SelectableCrops(Protocol):
    """Reads the images of a set in order, or only some of them without opening the others."""

    def __call__(self) -> Iterator[Crops]:
        """Yield the images, a batch at a time."""
        ...

    def only(self, positions: np.ndarray) -> "SelectableCrops":
        """Return what reads the images at these positions, ascending."""
        ...


@dataclass(frozen=True)
class Templates:
    """Rows (R,): position of an image, number of its template and number of its media; `names` of the templates.

    The pairs of the set then hold numbers of templates.
    """

    image: np.ndarray
    template: np.ndarray
    media: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class TestSet:
    """Images of one source under the label that the command line gives them.

    `protocol` is one sentence on what is compared, `sha256` is over all that the figures depend on. `crops` reads the
    images in the order of `ids`, a batch at a time. `identity` (N,) is that of each image, None where only pairs are
    known; `pairs` are those of the source, None where all pairs count, or those of a reference and a probe where
    `is_reference` (N,) is known. `manifest` is that of a run of this project.
    """

    # pytest would take a class of this name for tests.
    __test__ = False

    name: str
    format: str
    protocol: str
    sha256: str
    ids: tuple[str, ...]
    crops: Callable[[], Iterator[Crops]]
    crops_from: str = ALIGNED
    identity: np.ndarray | None = None
    pairs: PairTable | None = None
    templates: Templates | None = None
    is_reference: np.ndarray | None = None
    manifest: RunManifest | None = None

    def __post_init__(self) -> None:
        """Check what every set must have; UserError for none or doubled images, and for a single identity."""
        if not self.ids:
            raise UserError(f"--on {self.name}: the {self.format} holds no image")
        if (twice := doubled(self.ids)) is not None:
            raise UserError(f"--on {self.name}: the image id {twice} is there twice; ids must differ")
        if self.identity is not None and len(np.unique(self.identity)) < 2:
            raise UserError(f"--on {self.name}: all images show one identity; impostor pairs need at least two")
        if self.identity is None and self.pairs is None:
            raise UserError(f"--on {self.name}: neither identities nor pairs are known")

    @property
    def units(self) -> int:
        """Return how many images, or templates where there are any, the pairs number."""
        return len(self.templates.names) if self.templates else len(self.ids)


def doubled(names: tuple[str, ...] | list[str]) -> str | None:
    """Return the first name that is there twice, if any."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def numbered(names: list[str]) -> np.ndarray:
    """Return a number (N,) for each name, equal for equal names."""
    found: np.ndarray = np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
    return found
