"""Sharpness: the variance of the Laplacian (Pech-Pacheco et al. 2000), the usual baseline of face image quality."""

from pathlib import Path

import cv2
import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard


def laplacian_variance(image: np.ndarray) -> float:
    """Return the variance of the Laplacian of an RGB image's luma, uint8 (H, W, 3); higher is sharper."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def sharpness(images: np.ndarray) -> np.ndarray:
    """Return `laplacian_variance`, float64 (N,), of uint8 RGB images (N, H, W, 3)."""
    return np.array([laplacian_variance(image) for image in images], np.float64)


class Sharpness:
    """A `QualityScorer` (`synfiqa.actors.roles`) of the variance of the Laplacian."""

    def __init__(self, card: ModelCard, path: Path | None = None, running: Execution | None = None) -> None:
        self.card = card

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB images (N, H, W, 3)."""
        return sharpness(images)
