"""Share of pairs of different people whose cosine lies above a threshold, and its extrapolation from the tail."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Strangers:
    """Pairs of strangers above a threshold: their share, its standard error over people, and a fit of the tail.

    `fitted` is the share by an exponential tail (`tail_share`); `people` are those in pairs above the threshold.
    """

    threshold: float
    pairs: int
    above: int
    people: int
    share: float
    error: float
    fitted: float


def cosines_of_strangers(vectors: np.ndarray) -> np.ndarray:
    """Return the cosines of all N (N - 1) / 2 pairs of unit vectors (N, D)."""
    rows, columns = np.triu_indices(len(vectors), 1)
    return (vectors @ vectors.T)[rows, columns]


def strangers(vectors: np.ndarray, threshold: float) -> Strangers:
    """Measure the pairs above a threshold.

    Pairs of one person depend on each other, so the error is a jackknife over people, not a binomial one. Where they do
    not, it is the square root of 2 too large.
    """
    close = vectors @ vectors.T > threshold
    np.fill_diagonal(close, False)
    count, each = len(vectors), close.sum(1)
    pairs, above = count * (count - 1) // 2, int(each.sum()) // 2
    left_out = (above - each) / ((count - 1) * (count - 2) / 2)
    error = float(np.sqrt((count - 1) / count * np.square(left_out - left_out.mean()).sum()))
    return Strangers(
        threshold=threshold,
        pairs=pairs,
        above=above,
        people=int((each > 0).sum()),
        share=above / pairs,
        error=error,
        fitted=tail_share(cosines_of_strangers(vectors), threshold),
    )


def tail_share(cosines: np.ndarray, threshold: float, tail: float = 1e-3) -> float:
    """Return the share above a threshold by a generalised Pareto tail fitted to the largest `tail` of the cosines.

    Moments give shape and scale (Hosking & Wallis 1987). Where fewer than 20 pairs lie in the tail it is NaN.
    """
    start = float(np.quantile(cosines, 1 - tail))
    excess = cosines[cosines > start] - start
    if len(excess) < 20:
        return float("nan")
    if threshold <= start:
        return float((cosines > threshold).mean())
    mean, variance = float(excess.mean()), float(excess.var(ddof=1))
    shape = 0.5 * (1 - mean**2 / variance)
    scale = 0.5 * mean * (mean**2 / variance + 1)
    reach = (threshold - start) / scale
    if abs(shape) < 1e-6:
        return float(tail * np.exp(-reach))
    return float(tail * max(0.0, 1 + shape * reach) ** (-1 / shape))
