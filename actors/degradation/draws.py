"""Random numbers of recipes, rounded to float32 so that tables store them without loss."""

import numpy as np
from scipy.special import ndtr, ndtri


def single(value: float) -> float:
    """Return the nearest float32."""
    return float(np.float32(value))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw uniformly between low and high."""
    return single(rng.uniform(low, high))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw log-uniformly between two positive bounds."""
    return single(np.exp(rng.uniform(np.log(low), np.log(high))))


def log_uniform_whole(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw a whole number log-uniformly between two positive bounds, both included."""
    return int(np.clip(np.floor(log_uniform(rng, low, high + 1)), low, high))


def bounded_normal(rng: np.random.Generator, std: float, bound: float) -> float:
    """Draw from a normal of mean 0 truncated to +-bound, by inversion of one uniform draw."""
    share = rng.random()
    if std == 0:
        return 0.0
    tail = ndtr(-bound / std)
    return single(np.clip(std * ndtri(tail + share * (1 - 2 * tail)), -bound, bound))
