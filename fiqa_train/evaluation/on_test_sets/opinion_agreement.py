"""Agreement of scores with opinion scores: SRCC, and PLCC without and with a logistic mapping."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, pearsonr

from synfiqa.actors.quality.correlation import spearman
from synfiqa.schemas.errors import UserError

FEWEST = 10
"""Images at least: the mapping has five parameters."""


@dataclass(frozen=True)
class Agreement:
    """Rank correlation (SRCC, KRCC), linear correlation as it is (`plcc`) and after the mapping (`plcc_mapped`), RMSE.

    The RMSE is that of mapped scores, on the scale of opinions.
    """

    srcc: float
    krcc: float
    plcc: float
    plcc_mapped: float
    rmse_mapped: float
    images: int


def agreement(scores: np.ndarray, opinions: np.ndarray) -> Agreement:
    """Return how scores (N,) agree with mean opinion scores (N,); UserError for too few or equal opinions.

    The published DSL-FIQA results have no mapping; much of the field maps scores first, so that both are stated. Equal
    scores have correlations of 0.
    """
    scores, opinions = np.asarray(scores, np.float64), np.asarray(opinions, np.float64)
    if len(scores) < FEWEST:
        raise UserError(f"agreement with opinions needs at least {FEWEST} images, not {len(scores)}: add some")
    if np.ptp(opinions) == 0:
        raise UserError(f"all {len(opinions)} opinion scores are {opinions[0]:g}: no agreement can be measured")
    if np.ptp(scores) == 0:
        return Agreement(0.0, 0.0, 0.0, 0.0, float(opinions.std()), len(scores))
    mapped = logistic_mapping(scores, opinions)
    return Agreement(
        srcc=spearman(scores, opinions),
        krcc=float(kendalltau(scores, opinions).statistic),
        plcc=_pearson(scores, opinions),
        plcc_mapped=_pearson(mapped, opinions),
        rmse_mapped=float(np.sqrt(np.mean((mapped - opinions) ** 2))),
        images=len(scores),
    )


def logistic_mapping(scores: np.ndarray, opinions: np.ndarray) -> np.ndarray:
    """Return scores (N,) mapped onto opinions by least squares with five parameters.

    b1 (1/2 - 1 / (1 + exp(b2 (s - b3)))) + b4 s + b5 of standardised scores s: equation 8 of Sheikh, Sabir, Bovik, "A
    statistical evaluation of recent full reference image quality assessment algorithms" (2006). The straight line where
    the fit finds nothing better.
    """
    standard = (scores - scores.mean()) / scores.std()
    slope, offset = np.polyfit(standard, opinions, 1)
    line = slope * standard + offset
    start = (np.ptp(opinions) * np.sign(slope or 1.0), 1.0, 0.0, 0.0, opinions.mean())
    try:
        found, _ = curve_fit(_logistic, standard, opinions, p0=start, maxfev=5000)
    except RuntimeError:
        return np.asarray(line)
    mapped = _logistic(standard, *found)
    better = np.sum((mapped - opinions) ** 2) < np.sum((line - opinions) ** 2)
    return np.asarray(mapped if better else line)


def _logistic(s: np.ndarray, b1: float, b2: float, b3: float, b4: float, b5: float) -> np.ndarray:
    bend = 1 / (1 + np.exp(np.clip(b2 * (s - b3), -60, 60)))
    return np.asarray(b1 * (0.5 - bend) + b4 * s + b5)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(pearsonr(a, b).statistic) if np.ptp(a) > 0 else 0.0
