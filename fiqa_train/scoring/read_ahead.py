"""Reads and decodes photographs ahead of their turn; one that cannot be read costs itself alone."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from synfiqa.actors.imaging.photo_decoding import DecodedPhoto, decode_photo
from synfiqa.fiqa_train.scoring.photo_list import Photo

_FILES, _PICTURES = 4, 1
"""Files that are read ahead of the one that is decoded, and pictures decoded ahead of the one in work."""
_READERS = 4
"""Threads that wait for files; one more decodes, since a picture may have a gigabyte on the way."""


@dataclass(frozen=True)
class ReadPhoto:
    """A photograph as upright uint8 RGB pixels (H, W, 3), or None with the reason.

    `size` is the (width, height) of the photograph, larger than its pixels where it was decoded at a fraction.
    """

    name: str
    pixels: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    reason: str = ""


def read_ahead(photos: Iterable[Photo]) -> Iterator[ReadPhoto]:
    """Yield the photographs in order, the next ones being read and decoded meanwhile."""
    with ThreadPoolExecutor(_READERS) as readers, ThreadPoolExecutor(1) as decoder:
        contents = _ahead(readers, _content, ((photo,) for photo in photos), _FILES)
        yield from _ahead(decoder, _decoded, contents, _PICTURES)


def _ahead[R](
    pool: ThreadPoolExecutor, work: Callable[..., R], calls: Iterable[tuple[Any, ...]], ahead: int
) -> Iterator[R]:
    """Yield the results of calls in order while the pool works on the next ones."""
    waiting: deque[Future[R]] = deque()
    try:
        for call in calls:
            waiting.append(pool.submit(work, *call))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _content(photo: Photo) -> tuple[str, bytes | np.ndarray | None, str]:
    """Return name, content, and the reason where there is none."""
    try:
        return photo.name, photo.read(), ""
    except OSError as error:
        return photo.name, None, f"{photo.name} cannot be read: {error.strerror or error or type(error).__name__}"
    except ValueError as error:
        return photo.name, None, f"{photo.name} cannot be read: {error}"


def _decoded(name: str, content: bytes | np.ndarray | None, reason: str) -> ReadPhoto:
    if content is None:
        return ReadPhoto(name, reason=reason)
    try:
        found = _checked(content, name) if isinstance(content, np.ndarray) else decode_photo(content, name)
    except ValueError as error:
        return ReadPhoto(name, reason=str(error))
    return ReadPhoto(name, found.pixels, found.size)


def _checked(pixels: np.ndarray, name: str) -> DecodedPhoto:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"{name} must be uint8 RGB of shape (H, W, 3), not {pixels.dtype} {pixels.shape}")
    return DecodedPhoto(pixels, (pixels.shape[1], pixels.shape[0]))
