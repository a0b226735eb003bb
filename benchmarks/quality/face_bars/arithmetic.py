"""What ladders are judged by: how far they rise where they should fall, who falls all the way, rank correlation."""

import numpy as np
from scipy.stats import spearmanr

TOLERANCE = 0.01
"""A rise that counts as none, in units of the ladder."""


def largest_rise(values: np.ndarray) -> float:
    """Return the largest step up along the last axis, 0 when every step falls; (S,) from clean to worst."""
    return float(max(0.0, np.diff(values, axis=-1).max(initial=0.0)))


def largest_fall(values: np.ndarray) -> float:
    """Return the largest step down along (S,), 0 when every step rises: how abruptly a ladder breaks off."""
    return float(max(0.0, -np.diff(values).min(initial=0.0)))


def falls(ladders: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Return bool (N,): which of the ladders (N, S) never rise by more than the tolerance and end below their start.

    The end must lie lower than the start by more than the tolerance, else a factor without effect would pass.
    """
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
