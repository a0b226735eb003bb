"""Contract of a source of training faces."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import UserError


@dataclass(frozen=True)
class Piece:
    """A part of a source that is read at once: its number of faces, and what its source needs to find them."""

    rows: int
    place: Any


@dataclass(frozen=True)
class EncodedRows:
    """Faces of one piece: encoded images, quality float32 (N,), NaN where unknown, identities and names.

    An identity is a key of `Source.identities`, or None where it is unknown.
    """

    encoded: Sequence[bytes]
    quality: np.ndarray
    identity: Sequence[Hashable | None]
    names: Sequence[str]

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.encoded)


class Source(Protocol):
    """Training faces in pieces; pickled to each worker, hence without open files.

    `weight` counts the passes per epoch; a fraction takes a part of the pieces each epoch.
    """

    @property
    def name(self) -> str:
        """Name of the source in messages."""
        ...

    @property
    def weight(self) -> float:
        """Passes per epoch, above 0."""
        ...

    @property
    def pieces(self) -> Sequence[Piece]:
        """All pieces in a fixed order."""
        ...

    @property
    def identities(self) -> Mapping[Hashable, int]:
        """Number of faces of each identity; the order of the keys numbers the classes."""
        ...

    def read(self, piece: Piece) -> EncodedRows:
        """Return the faces of a piece; UserError or JobFailed naming what is missing or damaged. Called by threads."""
        ...

    def fault(self, name: str, reason: str) -> Exception:
        """Return the error for an image that cannot be used, naming it and the way out."""
        ...


@dataclass(frozen=True)
class StoredPieces:
    """Base of a source whose pieces lie in a store; its fields are those of `Source`."""

    name: str
    storage: Storage
    pieces: Sequence[Piece]
    identities: Mapping[Hashable, int]
    weight: float = 1.0


def first_repeated(names: Sequence[str]) -> str | None:
    """Return a name that stands twice, None where there is none."""
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


def image_fault(source: str, name: str, reason: str) -> UserError:
    """Return the error for an image of the user's that cannot be used; `reason` starts with a verb."""
    return UserError(f"training source '{source}': the image {name} {reason}; correct or remove it")
