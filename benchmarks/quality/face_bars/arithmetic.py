"""Statistics of ladders: largest rise, largest fall, share that falls throughout, rank correlation."""

import numpy as np
from scipy.stats import spearmanr

TOLERANCE = 0.01
"""Largest rise that still counts as falling, in units of the ladder."""


def largest_rise(values: np.ndarray) -> float:
    """Return the largest step up along the last axis, 0 when every step falls; (S,) from clean to worst."""
    return float(max(0.0, np.diff(values, axis=-1).max(initial=0.0)))


def largest_fall(values: np.ndarray) -> float:
    """Return the largest step down along (S,), 0 when every step rises."""
    return float(max(0.0, -np.diff(values).min(initial=0.0)))


def falls(ladders: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Return bool (N,): which of the ladders (N, S) have no rise above the tolerance and end lower by more than it."""
    # The second condition excludes factors without effect.
    steps = np.diff(ladders, axis=1)
    return np.asarray((steps <= tolerance).all(axis=1) & (ladders[:, -1] < ladders[:, 0] - tolerance))


def rank_correlation(values: np.ndarray) -> float:
    """Return Spearman's correlation of values (S,) with their step number; 0 when all are equal."""
    if np.ptp(values) == 0:
        return 0.0
    return float(spearmanr(np.arange(len(values)), values)[0])


def rank_correlations(ladders: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation with the step number (N,) of each ladder (N, S)."""
    return np.array([rank_correlation(ladder) for ladder in ladders])
