"""Photographs to score, as named by a command: what there is, and what was left out."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from synfiqa.schemas.errors import UserError

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg jpe jfif png webp tif tiff bmp gif ppm pgm jp2 j2k tga avif mpo".split()  # noqa: SIM905
)
"""File name endings (lower case) of photographs inside a folder; a file named directly may have any."""


@dataclass(frozen=True)
class Photo:
    """A photograph under its name; `read` returns the bytes of its file, or its pixels as uint8 RGB (H, W, 3).

    `read` raises OSError where the file cannot be read, and ValueError where it is no file. `path` is the local file
    that holds it, also a tar or Parquet file with others in it; None for one from an object store or from memory.
    """

    name: str
    read: Callable[[], bytes | np.ndarray]
    path: Path | None = None


@dataclass(frozen=True)
class PhotoList:
    """Photographs in the order in which they were named, and the files left out, counted by kind (such as `.txt`)."""

    photos: Sequence[Photo]
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Photo]:
        return iter(self.photos)

    def __len__(self) -> int:
        return len(self.photos)


def read_file(path: Path) -> bytes:
    """Return the bytes of a local file; ValueError where it is no regular file, which may never end."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    return path.read_bytes()


def file_photo(path: Path) -> Photo:
    """Return the photograph that a local file holds."""
    return Photo(str(path), partial(read_file, path), path)


def find_photos(paths: Sequence[str | Path]) -> PhotoList:
    """List the files named and all photographs below the folders named, sorted within each, none twice.

    Raises UserError when a path does not exist or nothing is found.
    """
    found: dict[Path, None] = {}
    skipped: Counter[str] = Counter()
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(folder / name for folder, _, names in path.walk() for name in names)
            found |= dict.fromkeys(file for file in inside if file.suffix.lower() in SUFFIXES)
            skipped.update(file.suffix.lower() for file in inside if file.suffix.lower() not in SUFFIXES)
        elif path.exists():
            found[path] = None
        else:
            raise UserError(f"{path} does not exist: name photographs or folders of them")
    if not found:
        raise UserError(f"there is no photograph in {', '.join(map(str, paths))}: name files, or folders with images")
    return PhotoList([file_photo(path) for path in found], skipped)
