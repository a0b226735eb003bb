"""Baselines: sharpness, and a regression of luminance statistics (after BRISQUE, Mittal et al. 2012)."""

import cv2
import numpy as np
from scipy.special import gammaln

from synfiqa.actors.quality.measures.sharpness import laplacian_variance

SHAPES = np.arange(0.2, 10, 0.01)
_RATIOS = np.exp(2 * gammaln(2 / SHAPES) - gammaln(1 / SHAPES) - gammaln(3 / SHAPES))
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
RIDGE, WIDTHS = 1e-2, (1.0, 2.0, 4.0)
"""Weight of the penalty, and widths of the Gaussian kernel in standard deviations that are tried."""


def sharpness_of(images: list[np.ndarray]) -> np.ndarray:
    """Return the variance of the Laplacian (N,)."""
    return np.array([laplacian_variance(image) for image in images])


def luminance_statistics(image: np.ndarray) -> np.ndarray:
    """Return 36 numbers of a uint8 RGB image: 18 at its size, 18 at half of it.

    Shape and variance of luminance that is normalised by its neighbourhood, and shape, mean and both variances of its
    products with the neighbour in four directions.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.concatenate([_of_scale(grey), _of_scale(half)])


def _of_scale(grey: np.ndarray) -> np.ndarray:
    mean = cv2.GaussianBlur(grey, (7, 7), 7 / 6)
    spread = np.sqrt(np.abs(cv2.GaussianBlur(grey * grey, (7, 7), 7 / 6) - mean * mean))
    normal = (grey - mean) / (spread + 1)
    found = [_shape(normal), float(normal.var())]
    for down, right in SHIFTS:
        product = normal * np.roll(normal, (down, right), (0, 1))
        low, high = product[product < 0], product[product > 0]
        left = float(np.sqrt((low**2).mean())) if len(low) else 0.0
        over = float(np.sqrt((high**2).mean())) if len(high) else 0.0
        found += [_shape(product), float(product.mean()), left, over]
    return np.array(found)


def _shape(values: np.ndarray) -> float:
    """Return the shape of the generalised Gaussian with the same ratio of mean magnitude to standard deviation."""
    ratio = np.abs(values).mean() ** 2 / max(1e-12, (values**2).mean())
    return float(SHAPES[np.abs(_RATIOS - ratio).argmin()])


def regressed(train: np.ndarray, scores: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return scores (M,) of features (M, F) by kernel ridge regression; a fifth of the training chooses its width."""
    middle, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
    train, test = (train - middle) / spread, (test - middle) / spread
    held = np.arange(len(train)) % 5 == 0
    errors = [
        float(np.abs(_ridge(train[~held], scores[~held], train[held], width) - scores[held]).mean()) for width in WIDTHS
    ]
    return _ridge(train, scores, test, WIDTHS[int(np.argmin(errors))])


def _ridge(train: np.ndarray, scores: np.ndarray, test: np.ndarray, width: float) -> np.ndarray:
    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
        return np.asarray(np.exp(-squared / (2 * width**2 * a.shape[1])))

    weights = np.linalg.solve(kernel(train, train) + RIDGE * np.eye(len(train)), scores - scores.mean())
    return kernel(test, train) @ weights + scores.mean()
