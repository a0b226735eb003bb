"""Exact average ranks of large columns in little memory: a sorted copy at a time, and blocks of rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from synfiqa.schemas.calibration import RankTable

GROUPS = 10
"""Decile groups, Q0 (worst) to Q9 (best)."""

TABLE_LIMIT = 65_536
"""Largest length of a scale's rank table. Shorter tables are exact; longer ones are thinned, with an error of at most
2 / TABLE_LIMIT in the frozen share (N - rank) / N."""

BLOCK = 2**20
"""Rows whose temporaries are in memory at once."""


@dataclass(frozen=True)
class Ranked:
    """Ranks of N samples among themselves, as a label pass keeps them and its tasks get them for the rows of a shard.

    factors: twice the average ranks (1..N) of yaw, downsample and blur, uint32 (N,) each, since ties have halves.
    bounds: the raw label from which on a sample is in group 1, 2, ... 9; infinite where no sample is.
    """

    factors: tuple[np.ndarray, np.ndarray, np.ndarray]
    bounds: np.ndarray

    def cut(self, rows: slice) -> "Ranked":
        """Return the ranks of some of the rows."""
        yaw, downsample, blur = self.factors
        return Ranked((yaw[rows], downsample[rows], blur[rows]), self.bounds)

    def shares(self, count: int) -> list[np.ndarray]:
        """Return (N - rank) / N of each factor, float64, where N is `count`."""
        return [shares_of(doubled / 2, count) for doubled in self.factors]


def rank_factor(values: np.ndarray) -> tuple[RankTable, np.ndarray]:
    """Return the rank table of a column and twice the average ranks of its rows, uint32.

    A float32 column is overwritten with them, so that no memory is taken beyond a sorted copy.
    """
    ascending = np.sort(values)
    doubled = values.view(np.uint32) if values.dtype == np.float32 else np.empty(len(values), np.uint32)
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        # Sorted keys are found much faster than others in an array that no cache holds.
        distinct, place = np.unique(values[rows], return_inverse=True)
        ends = np.searchsorted(ascending, distinct, "left") + np.searchsorted(ascending, distinct, "right")
        doubled[rows] = (ends + 1)[place]
    return rank_table(ascending), doubled


def rank_table(ascending: np.ndarray) -> RankTable:
    """Return distinct values of a sorted column with their average ranks, thinned to `TABLE_LIMIT`."""
    if sum(len(values) for values, _ in _runs(ascending)) <= TABLE_LIMIT:
        runs = list(_runs(ascending))
    else:
        runs = _thinned(ascending)
    values = np.concatenate([values for values, _ in runs])
    ranks = np.concatenate([ranks for _, ranks in runs])
    return RankTable(values=values.tolist(), ranks=ranks.tolist())


def group_bounds(ascending: np.ndarray) -> np.ndarray:
    """Return the value of a sorted column from which each group but the first begins, float64 (9,)."""
    bounds = np.full(GROUPS - 1, np.inf)
    for values, ranks in _runs(ascending):
        first = np.searchsorted(decile_of(ranks, len(ascending)), np.arange(1, GROUPS), "left")
        begins = np.isinf(bounds) & (first < len(values))
        bounds[begins] = values[first[begins]]
    return bounds


def decile_of(ranks: np.ndarray, count: int) -> np.ndarray:
    """Return the decile 0..9 of average ranks among `count` samples, int8."""
    deciles: np.ndarray = np.clip(np.floor(GROUPS * (ranks - 0.5) / count), 0, GROUPS - 1).astype(np.int8)
    return deciles


def shares_of(ranks: np.ndarray, count: int) -> np.ndarray:
    """Overwrite ranks with their shares (N - rank) / N and return them."""
    np.subtract(count, ranks, out=ranks)
    ranks /= count
    return ranks


def _runs(ascending: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the distinct values of a sorted column with their average ranks, blocks of rows at a time."""
    start = 0
    while start < len(ascending):
        block = ascending[start : start + BLOCK]
        firsts = start + np.flatnonzero(np.concatenate([[True], block[1:] != block[:-1]]))
        # Equal values may go on beyond the block; the next one begins after them.
        end = int(np.searchsorted(ascending, block[-1], "right"))
        yield ascending[firsts], (firsts + np.append(firsts[1:], end) + 1) / 2
        start = end


def _thinned(ascending: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the first and last value of each of TABLE_LIMIT / 2 intervals of ranks."""
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    # Both ends of an interval stay, so that the jump at a heavily tied value is not interpolated.
    last_interval, value, rank, known = -1.0, ascending[:0], np.empty(0), False
    for values, ranks in _runs(ascending):
        interval = np.floor((ranks - 1) / len(ascending) * (TABLE_LIMIT // 2))
        if interval[0] != last_interval and not known:
            kept.append((value, rank))
        ends = np.zeros(len(values), bool)
        ends[0] = interval[0] != last_interval
        ends[:-1] |= interval[1:] != interval[:-1]
        ends[1:] |= interval[1:] != interval[:-1]
        kept.append((values[ends], ranks[ends]))
        last_interval, value, rank = interval[-1], values[-1:], ranks[-1:]
        known = bool(ends[-1])
    return kept if known else [*kept, (value, rank)]
