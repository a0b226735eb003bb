"""Confidence intervals of pAUC and of pAUC differences by identity-level (cluster) bootstrap.

Errors of pairs of one identity are correlated, so identities are drawn with replacement, not pairs. One drawn m times
gives each of its genuine pairs weight m and each impostor pair with an identity drawn n times weight m * n, which is
the two-way cluster bootstrap of a two-sample statistic; pairs between copies of one identity are left out. All
methods use the same draws, so differences are paired, and their intervals narrower than those of two methods.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from synfiqa.fiqa_train.evaluation.edc import Mode
from synfiqa.fiqa_train.evaluation.weighted_pairs import WeightedPairs
from synfiqa.schemas.seeds import derive_seed, generator

CONFIDENCE = 0.95
MOST_THREADS = 8
THREADED_PAIRS = 2_000_000
"""Pairs up to which resamples are computed side by side."""


@dataclass(frozen=True)
class Interval:
    """Percentile interval of one statistic; it has a value (F_0 > 0) in `used` of `resamples` draws."""

    low: float
    high: float
    used: int
    resamples: int


@dataclass(frozen=True)
class Bootstrap:
    """pAUC of every method in every resample, (resamples,) each; NaN where a draw had no false non-match."""

    draws: dict[str, np.ndarray]

    def interval(self, method: str) -> Interval:
        """Return the 95 % percentile interval of a method's pAUC."""
        return percentile_interval(self.draws[method])

    def difference(self, method: str, other: str) -> Interval:
        """Return the 95 % percentile interval of pAUC(method) - pAUC(other); all below 0: the method is better."""
        return percentile_interval(self.draws[method] - self.draws[other])


def bootstrap_pauc(
    methods: Mapping[str, WeightedPairs],
    first: np.ndarray,
    second: np.ndarray,
    fmr: float,
    discard_limit: float,
    mode: Mode,
    resamples: int,
    seed: int,
) -> Bootstrap:
    """Return pAUC of each method's pairs under `resamples` draws of identities.

    `first` and `second` are the identities (N,) of the two images of each pair, in the order of the pairs. The same
    seed gives the same draws whatever the methods. Raises ValueError with fewer than two identities.
    """
    identities, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if len(identities) < 2:
        raise ValueError("An identity-level bootstrap needs at least two identities.")
    first, second = places[: len(first)], places[len(first) :]
    same = first == second
    rng = generator(derive_seed(seed, "bootstrap"))
    counts = [rng.integers(0, len(identities), len(identities)) for _ in range(resamples)]

    def drawn_areas(drawn: np.ndarray) -> list[float]:
        times = np.bincount(drawn, minlength=len(identities))
        weights = np.where(same, times[first], times[first] * times[second]).astype(np.float64)
        return [pairs.pauc(fmr, discard_limit, mode, weights) for pairs in methods.values()]

    # NumPy computes outside the interpreter's lock; each thread holds several arrays of all pairs.
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0))) if len(first) <= THREADED_PAIRS else 1
    with ThreadPoolExecutor(threads) as pool:
        areas = np.array(list(pool.map(drawn_areas, counts))).reshape(resamples, len(methods))
    return Bootstrap({name: areas[:, column] for column, name in enumerate(methods)})


def percentile_interval(values: np.ndarray) -> Interval:
    """Return the 95 % percentile interval of the finite ones among the resamples (R,) of a statistic."""
    valid = values[np.isfinite(values)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(valid, [tail, 1 - tail]) if len(valid) else (np.nan, np.nan)
    return Interval(float(low), float(high), len(valid), len(values))
