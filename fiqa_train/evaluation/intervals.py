"""Confidence intervals of pAUC and of pAUC differences by identity-level (cluster) bootstrap.

Errors of pairs of one identity are correlated, so identities are drawn with replacement, not pairs. One drawn m times
gives each of its genuine pairs weight m and each impostor pair with an identity drawn n times weight m * n, which is
the two-way cluster bootstrap of a two-sample statistic; pairs between copies of one identity are left out. All
methods use the same draws, so differences are paired, and their intervals narrower than those of two methods.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synfiqa.fiqa_train.evaluation.edc import Mode
from synfiqa.fiqa_train.evaluation.weighted_pairs import WeightedPairs
from synfiqa.schemas.seeds import derive_seed, generator

CONFIDENCE = 0.95


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
    draws = {name: np.full(resamples, np.nan) for name in methods}
    for resample in range(resamples):
        drawn = np.bincount(rng.integers(0, len(identities), len(identities)), minlength=len(identities))
        weights = np.where(same, drawn[first], drawn[first] * drawn[second]).astype(np.float64)
        for name, pairs in methods.items():
            draws[name][resample] = pairs.pauc(fmr, discard_limit, mode, weights)
    return Bootstrap(draws)


def percentile_interval(values: np.ndarray) -> Interval:
    """Return the 95 % percentile interval of the finite ones among the resamples (R,) of a statistic."""
    valid = values[np.isfinite(values)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(valid, [tail, 1 - tail]) if len(valid) else (np.nan, np.nan)
    return Interval(float(low), float(high), len(valid), len(values))
