"""The pairs that are left after each step of discarding, by a code of one byte a pair instead of a sorted order."""

import math
from dataclasses import dataclass

import numpy as np

STEPS = 20
"""Steps of a leaderboard curve: 0, 5, ... 95 %."""
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Step:
    """Pairs with a code above `code` are left with the weight `above`, those with this code with the weight `tied`.

    Pairs tied at the cut keep equal weights. Both weights are whole numbers, so that sums are exact in any order.
    """

    code: int
    tied: int
    above: int

    def total(self, counts: np.ndarray) -> int:
        """Return the weight that is left of pairs of which there are so many of each code."""
        return self.tied * int(counts[self.code]) + self.above * int(counts[self.code + 1 :].sum())


@dataclass(frozen=True)
class QualityCuts:
    """Codes of genuine and impostor pairs, uint8 each in their order, and what each step leaves of them."""

    genuine: np.ndarray
    impostor: np.ndarray
    genuine_counts: np.ndarray
    impostor_counts: np.ndarray
    steps: list[Step]


def cuts_of(quality: np.ndarray, genuine: np.ndarray) -> QualityCuts:
    """Return the cuts of pairs with a quality and a kind (N,) each, in steps of 5 % of them all."""
    total = len(quality)
    # Whole twentieths, since floor(0.15 * 100) is 14 in binary floating point.
    gone = [total * step // STEPS for step in range(STEPS)]
    values = np.unique(np.partition(quality, sorted(set(gone)))[gone])
    codes = np.empty(total, np.uint8)
    for start in range(0, total, _CHUNK):
        part = quality[start : start + _CHUNK]
        codes[start : start + _CHUNK] = np.searchsorted(values, part, "left") + np.searchsorted(values, part, "right")
    return coded(codes[genuine], codes[~genuine], gone, 2 * len(values) + 1)


def cuts_of_ranks(rank: np.ndarray, first: np.ndarray, second: np.ndarray, genuine: np.ndarray) -> QualityCuts:
    """Return the cuts of pairs of images whose qualities are the ranks 0..n-1 (n,): faster than by sorting.

    `first` and `second` (N,) are positions of images, `genuine` (N,) the kind of the pair.
    """
    worse = np.minimum(rank[first], rank[second])
    total = len(worse)
    gone = [total * step // STEPS for step in range(STEPS)]
    upto = np.cumsum(np.bincount(worse, minlength=len(rank)))
    values = np.unique(np.searchsorted(upto, gone, "right"))
    ranks = np.arange(len(rank))
    code = (np.searchsorted(values, ranks, "left") + np.searchsorted(values, ranks, "right")).astype(np.uint8)
    codes = code[worse]
    return coded(codes[genuine], codes[~genuine], gone, 2 * len(values) + 1)


def coded(genuine: np.ndarray, impostor: np.ndarray, gone: list[int], codes: int) -> QualityCuts:
    """Return the cuts of pairs with these codes; `gone` are how many pairs each step discards."""
    genuine_counts, impostor_counts = (np.bincount(part, minlength=codes) for part in (genuine, impostor))
    upto = np.cumsum(genuine_counts + impostor_counts)
    steps = []
    for discarded in gone:
        code = int(np.searchsorted(upto, discarded, "right"))
        before = int(upto[code - 1]) if code else 0
        left, whole = int(upto[code]) - discarded, int(upto[code]) - before
        unit = math.gcd(left, whole)
        steps.append(Step(code, left // unit, whole // unit))
    return QualityCuts(genuine, impostor, genuine_counts, impostor_counts, steps)
