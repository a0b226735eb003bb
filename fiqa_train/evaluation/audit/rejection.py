"""One threshold for all images, and the share of each group's images below it."""

import numpy as np

from synfiqa.fiqa_train.evaluation.compare import interval_record, number
from synfiqa.fiqa_train.evaluation.intervals import percentile_interval
from synfiqa.schemas.audit import Rejection
from synfiqa.schemas.seeds import derive_seed, generator

REJECT_SHARE = 0.1
"""Share of all images that the threshold is chosen to reject."""


def common_threshold(quality: np.ndarray, share: float) -> float:
    """Return the score below which the share of scores (N,) that is nearest to the wanted one lies, ties together."""
    ascending = np.sort(quality)
    at = min(round(share * len(ascending)), len(ascending) - 1)
    # Of equal scores all are rejected or none: below the least of them, or below the next greater one.
    low = np.searchsorted(ascending, ascending[at], "left")
    high = np.searchsorted(ascending, ascending[at], "right")
    nearer = high if high < len(ascending) and high - share * len(ascending) < share * len(ascending) - low else low
    return float(ascending[nearer])


def rejection(rejected: np.ndarray, identity: np.ndarray, resamples: int, seed: int) -> Rejection:
    """Return the share of images (N,) that are rejected, its interval by resamples of their identities (N,)."""
    people, places = np.unique(identity, return_inverse=True)
    bad, images = (np.bincount(places, weights, len(people)) for weights in (rejected, np.ones(len(places))))
    interval = None
    if resamples and len(people) > 1:
        drawn = generator(derive_seed(seed, "rejection")).integers(0, len(people), (resamples, len(people)))
        interval = interval_record(percentile_interval(bad[drawn].sum(axis=1) / images[drawn].sum(axis=1)))
    return Rejection(share=number(float(rejected.mean())) or 0.0, interval=interval)
