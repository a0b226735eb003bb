"""Qualities that cost nothing to compute, which a trained model has to beat, and the label, which bounds it."""

import numpy as np

from synfiqa.actors.imaging.codec import laplacian_variance
from synfiqa.schemas.seeds import derive_seed, generator

REFERENCE_LABEL = 1.0
"""Label that a reference image counts with: it has none of its own, being what degraded samples are compared to."""


def random_quality(count: int, seed: int) -> np.ndarray:
    """Return qualities (N,) drawn evenly from 0..1, which discard at random: pAUC about 1."""
    return generator(derive_seed(seed, "random-quality")).random(count)


def sharpness(images: np.ndarray) -> np.ndarray:
    """Return the variance of the Laplacian (N,) of uint8 RGB faces (N, 112, 112, 3)."""
    return np.array([laplacian_variance(image) for image in images], np.float64)


def label_quality(labels: np.ndarray) -> np.ndarray:
    """Return the labels (N,) themselves, `REFERENCE_LABEL` where there is none (NaN): the oracle of the training."""
    return np.where(np.isnan(labels), REFERENCE_LABEL, labels)
