"""Detects glasses by the edge heuristic of MR-FIQA's filter, on five landmarks instead of eye corners."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pydantic import Field

from synfiqa.actors.imaging.alignment import similarity_transform, warp
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.schemas.model_card import CardPart, ModelCard

if TYPE_CHECKING:
    from synfiqa.actors.model_store.execution import Execution

PUBLISHED_THRESHOLD = 0.15
"""Published measure above which a face counts as wearing glasses."""

SIZE = 256
EYE_DISTANCE = 128
EYES = np.array([[(SIZE - EYE_DISTANCE) / 2, SIZE / 2], [(SIZE + EYE_DISTANCE) / 2, SIZE / 2]])
"""(2, 2) x, y of the image-left and image-right eye in the normalised face, pixels of SIZE x SIZE."""

BRIDGE = (slice(96, 160), slice(109, 145))
"""Rows and columns of the nose bridge in the normalised face."""
CHEEKS = ((slice(146, 210), slice(32, 96)), (slice(146, 210), slice(160, 224)))
"""Rows and columns below each eye, where lower rims lie."""

_BRIDGE_WEIGHT, _CHEEKS_WEIGHT = 0.3, 0.7
_BLUR = (11, 11)
_SCHARR = -1


class EdgeArguments(CardPart):
    """Card arguments of `EdgeGlasses`."""

    threshold: float = Field(PUBLISHED_THRESHOLD, gt=0, lt=1, description="measure at which the score is exactly 0.5")


class EdgeGlasses:
    """`synfiqa.actors.roles.GlassesMeter` by horizontal edges at nose bridge and lower rims, as MR-FIQA filters.

    The published line through four eye corners becomes the line through the two eye centres. `arguments.threshold`
    is the measure at which `score` is exactly 0.5.
    """

    def __init__(self, card: ModelCard, path: Path = Path(), running: "Execution | None" = None) -> None:
        self.name = card.name
        self.threshold = arguments_of(card, EdgeArguments).threshold

    def score(self, images: Sequence[np.ndarray], landmarks: np.ndarray, aligned: np.ndarray) -> np.ndarray:
        """Return float32 (N,) in 0..1 for uint8 RGB images and their landmarks (N, 5, 2) in pixels.

        Piecewise linear from measure 0 (score 0) over the threshold (0.5) to measure 1 (score 1): the published rule
        rejects scores above 0.5.
        """
        return score_of(measure(images, landmarks), self.threshold)


def score_of(measures: np.ndarray, threshold: float = PUBLISHED_THRESHOLD) -> np.ndarray:
    """Return measures 0..1 as scores, float32 0..1, which exceed 0.5 where the measure exceeds the threshold."""
    return np.interp(measures, [0, threshold, 1], [0, 0.5, 1]).astype(np.float32)


def measure(images: Sequence[np.ndarray], landmarks: np.ndarray) -> np.ndarray:
    """Return the published measure, float64 (N,) in 0..1: 0.3 x edge share at the bridge + 0.7 x at the cheeks."""
    return np.array([edge_measure(face) for face in normalised_faces(images, landmarks)])


def normalised_faces(images: Sequence[np.ndarray], landmarks: np.ndarray) -> np.ndarray:
    """Return uint8 RGB (N, 256, 256, 3) with the eyes of landmarks (N, 5, 2) level at EYES, black outside."""
    return warp(images, similarity_transform(np.asarray(landmarks)[:, :2], EYES), SIZE)


def edge_measure(face: np.ndarray) -> float:
    """Return the measure of one normalised face, uint8 RGB (256, 256, 3)."""
    blurred = cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), _BLUR, 0)
    strength = cv2.convertScaleAbs(cv2.Sobel(blurred, cv2.CV_64F, 0, 1, ksize=_SCHARR))
    _, edges = cv2.threshold(strength, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    cheeks = np.stack([edges[where] for where in CHEEKS])
    return _BRIDGE_WEIGHT * float(edges[BRIDGE].mean()) + _CHEEKS_WEIGHT * float(cheeks.mean())
