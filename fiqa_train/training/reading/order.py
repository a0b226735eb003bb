"""Order of the training faces of an epoch: a pure function of seed, epoch, pieces and batch size.

The pieces of an epoch stand in a line by a seeded permutation. The line is cut into stretches, one a lane, and each
stretch into windows, whose rows are shuffled. Every step takes a fixed number of rows from each lane, so that a batch
is mixed over the windows of all lanes. A piece at a cut belongs to both sides, with different rows.

The batch of a step is the same rows in the same order for every number of ranks that divides the batch size: the lanes
one after the other, of which each rank takes an equal, contiguous share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed, generator


@dataclass(frozen=True)
class Lanes:
    """Rows of one batch by lane: `quotas[l]` rows of lane l, one lane after the other."""

    quotas: tuple[int, ...]

    @classmethod
    def of(cls, batch: int, lanes: int) -> "Lanes":
        """Split a batch into at most so many lanes, none empty, whose rows differ by one at most."""
        count = max(1, min(batch, lanes))
        return cls(tuple(batch // count + (lane < batch % count) for lane in range(count)))

    @property
    def batch(self) -> int:
        """Rows of a batch."""
        return sum(self.quotas)

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield (lane, first, last + 1) of the positions start..stop of a batch, counted within each lane."""
        begin = 0
        for lane, quota in enumerate(self.quotas):
            first, last = max(start, begin), min(stop, begin + quota)
            if first < last:
                yield lane, first - begin, last - begin
            begin += quota


def share_of_batch(rows: int, batch_size: int, world: int) -> int:
    """Return how many faces of a batch each of `world` workers has; UserError for fewer than two."""
    share = min(batch_size, rows) // world
    if share < 2:
        raise UserError(
            f"{rows} training images in batches of {batch_size} leave each of {world} workers fewer than 2: take more "
            "images, raise train.batch_size or lower train.workers"
        )
    return share


@dataclass(frozen=True)
class Segment:
    """Rows of a piece in one window: all of them, or those at `first`..`stop` of its own permutation."""

    piece: int
    lap: int
    first: int
    stop: int
    rows_of_piece: int

    def rows(self, seed: int) -> np.ndarray:
        """Return the rows of the piece, int64 (N,)."""
        if self.stop - self.first == self.rows_of_piece:
            return np.arange(self.rows_of_piece)
        permuted = generator(derive_seed(seed, "cut", self.piece, self.lap)).permutation(self.rows_of_piece)
        return permuted[self.first : self.stop]


@dataclass(frozen=True)
class Window:
    """Segments of a lane that are shuffled together; their rows are `first`..`stop` of the lane."""

    lane: int
    number: int
    first: int
    stop: int
    segments: tuple[Segment, ...]

    def order(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return segment (position in the window) and row of its piece, int64 (rows,), as the lane shows them."""
        counts = [segment.stop - segment.first for segment in self.segments]
        segment = np.repeat(np.arange(len(counts)), counts)
        row = np.concatenate([segment.rows(seed) for segment in self.segments])
        order = generator(derive_seed(seed, "window", self.lane, self.number)).permutation(len(segment))
        return segment[order], row[order]


def epoch_pieces(
    counts: Sequence[int], weights: Sequence[float], seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pieces of an epoch and the lap of each, int64 (N,), source by source.

    Pieces are numbered over all sources, of which source s has `counts[s]` and is passed `weights[s]` times an epoch.
    A fraction takes a stretch of a seeded circle of the pieces, which goes on where the epoch before ended: with weight
    1/4 four epochs have every piece once. Weights up to 1 have a piece at most once an epoch.
    """
    pieces, laps, begin = [], [], 0
    for source, (count, weight) in enumerate(zip(counts, weights, strict=True)):
        # Exact, since a rounded product could leave a piece out or have it twice.
        amount = Fraction(weight).limit_denominator(10**6) * count
        first, stop = int(amount * epoch), int(amount * (epoch + 1))
        circle = generator(derive_seed(seed, "circle", source)).permutation(count) + begin
        place = np.arange(first, stop)
        pieces.append(circle[place % max(1, count)] if count else np.empty(0, np.int64))
        laps.append((place - first) // max(1, count))
        begin += count
    return np.concatenate([*pieces, np.empty(0, np.int64)]), np.concatenate([*laps, np.empty(0, np.int64)])


class StreamedOrder:
    """Order of an epoch of pieces that do not stay in memory.

    `rows[p]` counts the rows of piece p; `pieces` and `laps` are those of `epoch_pieces`; `seed` is that of the epoch.
    Windows have `window_pieces` pieces over all lanes at least, where there are so many. Fewer rows than a batch are
    left out, other ones each epoch.
    """

    def __init__(
        self, rows: np.ndarray, pieces: np.ndarray, laps: np.ndarray, lanes: Lanes, window_pieces: int, seed: int
    ) -> None:
        filled = rows[pieces] > 0
        order = generator(derive_seed(seed, "pieces")).permutation(int(filled.sum()))
        self.lanes, self.seed = lanes, seed
        self._rows, self._pieces, self._laps = rows, pieces[filled][order], laps[filled][order]
        self._ends = np.cumsum(rows[self._pieces])
        self._in_window = -(-window_pieces // len(lanes.quotas))
        self._windows: dict[int, tuple[Window, ...]] = {}

    @cached_property
    def steps(self) -> int:
        """Batches of the epoch."""
        return int(self._ends[-1]) // self.lanes.batch if len(self._ends) else 0

    def windows(self, lane: int) -> tuple[Window, ...]:
        """Return the windows of a lane in order."""
        if lane not in self._windows:
            self._windows[lane] = tuple(self._cut(lane))
        return self._windows[lane]

    def _cut(self, lane: int) -> Iterator[Window]:
        quotas = self.lanes.quotas
        start = self.steps * sum(quotas[:lane])
        stop = start + self.steps * quotas[lane]
        segments = list(self._segments(start, stop))
        count = max(1, len(segments) // self._in_window)
        cuts = np.linspace(0, len(segments), count + 1).astype(int)
        first = 0
        for number, (low, high) in enumerate(pairwise(cuts.tolist())):
            own = tuple(segments[low:high])
            last = first + sum(segment.stop - segment.first for segment in own)
            yield Window(lane, number, first, last, own)
            first = last

    def _segments(self, start: int, stop: int) -> Iterator[Segment]:
        """Yield the pieces on a stretch of the line, those at its ends in part."""
        place = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            piece, end = int(self._pieces[place]), int(self._ends[place])
            size = int(self._rows[piece])
            last = min(stop, end)
            yield Segment(piece, int(self._laps[place]), start - end + size, last - end + size, size)
            start, place = last, place + 1


class KeptOrder:
    """Order of an epoch of rows that all are in memory: one permutation of them.

    `rows[p]` counts the rows of piece p, which stand in memory piece by piece; `pieces` are those of `epoch_pieces`.
    """

    def __init__(self, rows: np.ndarray, pieces: np.ndarray, lanes: Lanes, seed: int) -> None:
        self.lanes = lanes
        offsets = np.cumsum(rows) - rows
        line = np.concatenate([*(np.arange(rows[p]) + offsets[p] for p in pieces), np.empty(0, np.int64)])
        self.steps = len(line) // lanes.batch
        self._line = line[generator(derive_seed(seed, "rows")).permutation(len(line))]

    def rows(self, step: int, start: int, stop: int) -> np.ndarray:
        """Return the rows at the positions start..stop of a batch, int64 (stop - start,)."""
        found: np.ndarray = self._line[step * self.lanes.batch :][start:stop]
        return found
