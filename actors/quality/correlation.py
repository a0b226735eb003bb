"""Spearman rank correlation."""

import numpy as np
from scipy.stats import spearmanr


def spearman(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return Spearman's rank correlation, 0 where it is undefined (fewer than two values, or all equal)."""
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(labels) == 0:
        return 0.0
    return float(spearmanr(scores, labels).statistic)
