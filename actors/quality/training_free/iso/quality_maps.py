"""Maps native values of ISO/IEC 29794-5 to 0..100 by the functions of its reference implementation (OFIQ 1.0).

OFIQ rounds to whole numbers; these values are not rounded, so that fewer images tie.
"""

import numpy as np


def logistic(values: np.ndarray, h: float = 100, a: float = 0, s: float = 1, x0: float = 0, w: float = 1) -> np.ndarray:
    """Return h (a + s / (1 + exp(-(x - x0) / w))) within 0..100."""
    return np.clip(h * (a + s * _sigma((values - x0) / w)), 0, 100)


def luminance_mean(values: np.ndarray) -> np.ndarray:
    """Return 0..100 of mean luminances 0..1: high between 0.2 and 0.8."""
    mapped: np.ndarray = 100 * _sigma((values - 0.2) / 0.05) * (1 - _sigma((values - 0.8) / 0.05))
    return mapped


def luminance_variance(values: np.ndarray) -> np.ndarray:
    """Return 0..100 of variances of luminance 0..1: highest at 1/60."""
    return np.clip(100 * np.sin(np.pi * 60 * values / (60 * values + 1)), 0, 100)


def under_exposure(values: np.ndarray) -> np.ndarray:
    """Return 0..100 of the share 0..1 of dark pixels: low from nearly all of them."""
    return logistic(values, h=120, a=0.832, s=-1, x0=0.92, w=0.05)


def over_exposure(values: np.ndarray) -> np.ndarray:
    """Return 0..100 of the share 0..1 of bright pixels: 1 / (x + 0.01)."""
    return np.clip(1 / (values + 0.01), 0, 100)


def dynamic_range(values: np.ndarray) -> np.ndarray:
    """Return 0..100 of entropies of luminance, 0..8 bits."""
    return np.clip(12.5 * values, 0, 100)


def natural_colour(values: np.ndarray) -> np.ndarray:
    """Return 0..100 of distances from the colours of skin in CIELAB, 0 and above."""
    return logistic(values, h=200, a=1, s=-1, x0=0, w=10)


def _sigma(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(values, np.float64)))
