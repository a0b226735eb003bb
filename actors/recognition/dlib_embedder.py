"""Embeds faces with dlib's recognition network (King 2017), which needs the extra `synfiqa[dlib]` and no torch.

The library compares vectors by Euclidean distance. Scaled to length 1 they verify as well by cosine
(docs/checkpoints.md), so that they need no calibration, only a threshold of their own.
"""

from pathlib import Path

import cv2
import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard

CHIP = 150
"""Side in pixels of the network's input, which its library calls a face chip."""

CROP_TO_CHIP = np.array([[1.528, -0.010, -11.40], [0.010, 1.528, -34.90]])
"""Affine map (2, 3) from pixels of an aligned 112 x 112 face to those of dlib's chip of the same face."""

LENGTH = 128


class DlibEmbedder:
    """An `Embedder` (`synfiqa.actors.roles`) of dlib's network, on the CPU whatever the device of the run."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the weights."""
        import dlib

        self.name = card.name
        self.card = card
        self._network = dlib.face_recognition_model_v1(str(path))

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, 128) unit vectors of uint8 RGB aligned faces (N, 112, 112, 3)."""
        side = (ARCFACE_SIZE, ARCFACE_SIZE, 3)
        if images.shape[1:] != side:
            raise ValueError(f"{self.name} takes aligned faces (N, 112, 112, 3), not {images.shape}")
        # One call an image: the vector of a face must not depend on its batch.
        found = [np.array(self._network.compute_face_descriptor(chip_of(image)), np.float32) for image in images]
        vectors = np.array(found, np.float32).reshape(len(images), LENGTH)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def chip_of(image: np.ndarray) -> np.ndarray:
    """Return dlib's face chip, uint8 (150, 150, 3), of an aligned face (112, 112, 3); what lies outside is repeated."""
    chip: np.ndarray = cv2.warpAffine(
        image, CROP_TO_CHIP, (CHIP, CHIP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return chip
