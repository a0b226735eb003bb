"""The scale of a trained model's scores: percentile and 0..100 among the samples that it was validated on."""

import math

import numpy as np

from synfiqa.schemas.model_card import ScoreScale

QUANTILES = 101
"""Quantiles on a card: one for each percent, and both ends."""
_DIGITS = 6


def score_scale(scores: np.ndarray, origin: str) -> ScoreScale | None:
    """Return the scale of scores (N,) of validation samples; None where quartiles of finite scores do not differ.

    The logistic has its middle (50) at the median, and its width maps half the distance of the quartiles to a change
    of 25: scores with symmetric quartiles become 25, 50 and 75 at these.
    """
    scores = np.asarray(scores, np.float64)
    scores = scores[np.isfinite(scores)]
    if len(scores) < 2:
        return None
    quantiles = [round(float(value), _DIGITS) for value in np.quantile(scores, np.linspace(0, 1, QUANTILES))]
    low, middle, high = (float(value) for value in np.quantile(scores, (0.25, 0.5, 0.75)))
    # logistic(z) is 3/4 at z = ln 3.
    width = round((high - low) / (2 * math.log(3)), _DIGITS)
    if width <= 0:
        return None
    return ScoreScale(
        quantiles=tuple(quantiles), midpoint=round(middle, _DIGITS), width=width, samples=len(scores), origin=origin
    )
