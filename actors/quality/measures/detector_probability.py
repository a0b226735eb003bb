"""Detector probability: how surely a detector finds the face, a baseline that every pipeline has at no cost."""

from pathlib import Path

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard

_BORDER = 28
"""Pixels of the edge repeated around a crop, in which the face fills the frame as in no training image of MTCNN."""


class DetectorProbability:
    """A `QualityScorer` (`synfiqa.actors.roles`) of the probability of the surest face in an aligned crop.

    Faces that MTCNN does not find share the score 0. The same detector decided that a photograph has a face at all.
    """

    def __init__(self, card: ModelCard, path: Path | None = None, running: Execution | None = None) -> None:
        self.card = card
        self._detector = MtcnnDetector(running.device if running else "cpu", select="probability")

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), 0..1, of uint8 RGB faces (N, 112, 112, 3)."""
        border = ((0, 0), (_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0))
        found = self._detector.detect(list(np.pad(images, border, mode="edge"))) if len(images) else []
        return np.array([face.probability if face else 0.0 for face in found], np.float64)
