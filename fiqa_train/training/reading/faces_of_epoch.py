"""Faces of an epoch by step: from memory, or from pieces that are fetched a window ahead."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from synfiqa.fiqa_train.training.reading.decode import Channels, face_shape
from synfiqa.fiqa_train.training.reading.faces import Pieces, ReadPiece
from synfiqa.fiqa_train.training.reading.order import KeptOrder, StreamedOrder, Window


class Face(NamedTuple):
    """A decoded face, uint8 (112, 112) or RGB (112, 112, 3), with its quality and class."""

    image: np.ndarray
    quality: float
    number: int


class Rows(Protocol):
    """Faces of one rank in one step, not decoded yet."""

    def faces(self, start: int, stop: int) -> Iterator[Face]:
        """Yield the faces at some positions of the share; errors are those of reading and decoding."""
        ...


class EpochFaces(Protocol):
    """Faces of an epoch, requested step by step in order by one thread."""

    def rows(self, step: int) -> Rows:
        """Return the rows of a step, and begin to fetch what it and the following steps need."""
        ...

    def release(self, step: int) -> None:
        """Drop what only this step and those before it need."""
        ...


@dataclass(frozen=True)
class KeptFaces:
    """All faces of a set in memory: uint8 (N, 112, 112) or (N, 112, 112, 3), quality float32 and class int64 (N,).

    `offsets[p]` is the first row of piece p.
    """

    images: np.ndarray
    quality: np.ndarray
    classes: np.ndarray
    offsets: np.ndarray

    @classmethod
    def read(cls, pieces: Pieces, channels: Channels, threads: int) -> "KeptFaces":
        """Read and decode all pieces."""
        ends = np.cumsum(pieces.rows)
        total = int(ends[-1]) if len(ends) else 0
        kept = cls(
            np.empty((total, *face_shape(channels)), np.uint8),
            np.empty(total, np.float32),
            np.empty(total, np.int64),
            ends - pieces.rows,
        )

        def load(number: int) -> None:
            piece, first = pieces.read(number), int(kept.offsets[number])
            own = slice(first, first + len(piece.rows))
            kept.quality[own], kept.classes[own] = piece.rows.quality, piece.classes
            for row in range(len(piece.rows)):
                kept.images[first + row] = piece.decoded(row, channels)

        pool = ThreadPoolExecutor(max(2, threads), thread_name_prefix="training-read")
        try:
            for _ in pool.map(load, range(len(pieces))):
                pass
        finally:
            pool.shutdown(cancel_futures=True)
        return kept


@dataclass(frozen=True)
class FacesInMemory:
    """Faces of an epoch of a set in memory; `start`..`stop` is the rank's share of each batch."""

    kept: KeptFaces
    order: KeptOrder
    start: int
    stop: int

    def rows(self, step: int) -> Rows:
        """Return the rows of a step."""
        return _KeptRows(self.kept, self.order.rows(step, self.start, self.stop))

    def release(self, step: int) -> None:
        """Keep all: the set stays in memory."""


@dataclass(frozen=True)
class _KeptRows:
    kept: KeptFaces
    chosen: np.ndarray

    def faces(self, start: int, stop: int) -> Iterator[Face]:
        for row in self.chosen[start:stop].tolist():
            yield Face(self.kept.images[row], float(self.kept.quality[row]), int(self.kept.classes[row]))


class _Fetched(NamedTuple):
    """A window on the way: its pieces, and segment and row of each of its faces in order."""

    window: Window
    pieces: list[Future[ReadPiece]]
    segment: np.ndarray
    row: np.ndarray


class FacesFromPieces:
    """Faces of an epoch whose pieces are fetched, still encoded, while those of the window before are shown.

    Memory holds the encoded images of two windows of each lane that the share `start`..`stop` touches.
    """

    def __init__(
        self, pieces: Pieces, order: StreamedOrder, channels: Channels, start: int, stop: int, pool: ThreadPoolExecutor
    ) -> None:
        self._pieces, self._order, self._channels, self._pool = pieces, order, channels, pool
        self._parts = list(order.lanes.parts(start, stop))
        self._fetched: dict[tuple[int, int], _Fetched] = {}

    def rows(self, step: int) -> Rows:
        """Return the rows of a step, and fetch its windows and the next one of each lane."""
        found: list[tuple[Future[ReadPiece], int]] = []
        ahead: list[Window] = []
        for lane, first, stop in self._parts:
            begin = step * self._order.lanes.quotas[lane]
            windows = self._order.windows(lane)
            last = 0
            for window in windows[self._place(windows, begin + first) :]:
                if window.first >= begin + stop:
                    break
                found.extend(self._of_window(window, begin + first, begin + stop))
                last = window.number
            ahead.extend(windows[last + 1 : last + 2])
        for window in ahead:
            self._fetch(window)
        return _FetchedRows(found, self._channels)

    def release(self, step: int) -> None:
        """Drop the windows that end with this step."""
        quotas = self._order.lanes.quotas
        done = {lane: step * quotas[lane] + stop for lane, _, stop in self._parts}
        for key, fetched in list(self._fetched.items()):
            if fetched.window.stop <= done[fetched.window.lane]:
                del self._fetched[key]

    @staticmethod
    def _place(windows: Sequence[Window], row: int) -> int:
        return bisect_right(windows, row, key=lambda window: window.stop)

    def _fetch(self, window: Window) -> _Fetched:
        key = (window.lane, window.number)
        if key not in self._fetched:
            futures = [self._pool.submit(self._pieces.read, segment.piece) for segment in window.segments]
            self._fetched[key] = _Fetched(window, futures, *window.order(self._order.seed))
        return self._fetched[key]

    def _of_window(self, window: Window, first: int, stop: int) -> Iterator[tuple[Future[ReadPiece], int]]:
        fetched = self._fetch(window)
        own = slice(max(first, window.first) - window.first, min(stop, window.stop) - window.first)
        for segment, row in zip(fetched.segment[own].tolist(), fetched.row[own].tolist(), strict=True):
            yield fetched.pieces[segment], row


@dataclass(frozen=True)
class _FetchedRows:
    rows: list[tuple[Future[ReadPiece], int]]
    channels: Channels

    def faces(self, start: int, stop: int) -> Iterator[Face]:
        for future, row in self.rows[start:stop]:
            piece = future.result()
            yield Face(piece.decoded(row, self.channels), float(piece.rows.quality[row]), int(piece.classes[row]))
