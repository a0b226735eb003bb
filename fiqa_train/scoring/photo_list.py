"""Photographs to score, in the order in which they were named, and the files that were left out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Photo:
    """A photograph under its name; `read` returns the bytes of its file, or its pixels as uint8 RGB (H, W, 3).

    `read` raises OSError where the file cannot be read, and ValueError where it is none. `path` is the local file that
    holds it, also a tar or Parquet file with others in it; None for one from an object store or from memory.
    """

    name: str
    read: Callable[[], bytes | np.ndarray]
    path: Path | None = None


@dataclass(frozen=True)
class PhotoList:
    """Photographs in order, none twice, and how many files were left out, by kind (such as `.txt`)."""

    photos: Sequence[Photo]
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Photo]:
        return iter(self.photos)

    def __len__(self) -> int:
        return len(self.photos)

    def skipped_sentence(self) -> str:
        """Return how many files were left out, of which kinds, the most frequent first; "" when there are none."""
        if not self.skipped:
            return ""
        kinds = ", ".join(
            f"{count} {kind}" for kind, count in sorted(self.skipped.items(), key=lambda item: (-item[1], item[0]))
        )
        total = sum(self.skipped.values())
        return f"{total} {'file' if total == 1 else 'files'} left out as no photographs: {kinds}"


def printable(name: str) -> str:
    r"""Return a file name in which bytes that are not UTF-8 are escaped as `\xe9`, so that any program can store it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
