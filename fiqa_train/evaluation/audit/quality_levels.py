"""Scores over the levels of quality: deciles of the label, and the references above them."""

from itertools import pairwise

import numpy as np
from scipy.stats import kendalltau, rankdata

from synfiqa.fiqa_train.evaluation.audit.factor_lines import rank_correlation, spread
from synfiqa.fiqa_train.evaluation.compare import number
from synfiqa.schemas.audit import LEVELS, LevelAudit, Monotonicity

DECILES = len(LEVELS) - 1


def levels_of(label: np.ndarray) -> np.ndarray:
    """Return the number of each image's level in `LEVELS`, int64 (N,); a label of NaN is a reference.

    Deciles are those of the labels given; equal labels share one.
    """
    degraded = ~np.isnan(label)
    found = np.full(len(label), DECILES, np.int64)
    ranks = rankdata(label[degraded])
    found[degraded] = np.clip(np.floor((ranks - 0.5) * DECILES / max(len(ranks), 1)), 0, DECILES - 1)
    return found


def monotonicity(level: np.ndarray, quality: np.ndarray) -> Monotonicity:
    """Return scores (N,) by level (N,), and whether their medians ascend; levels without images are passed over."""
    levels = []
    for number_of, name in enumerate(LEVELS):
        own = quality[level == number_of]
        levels.append(LevelAudit(**dict(spread(own)), level=name, mean=number(float(own.mean())) if len(own) else None))
    known = [(at, one) for at, one in enumerate(levels) if one.median is not None]
    medians = np.array([one.median for _, one in known], np.float64)
    places = np.array([at for at, _ in known], np.float64)
    pairs = pairwise(known)
    inversions = [
        f"{low.level}-{high.level}" for (_, low), (_, high) in pairs if (high.median or 0.0) <= (low.median or 0.0)
    ]
    return Monotonicity(
        levels=levels,
        monotone=len(known) > 1 and not inversions,
        inversions=inversions,
        kendall=_kendall(places, medians),
        spearman=rank_correlation(places, medians),
    )


def _kendall(places: np.ndarray, medians: np.ndarray) -> float | None:
    if len(places) < 2 or np.ptp(medians) == 0:
        return None
    return number(float(kendalltau(places, medians).statistic))
