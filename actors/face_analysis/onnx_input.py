"""Prepares the input of an ONNX classifier: the aligned face or an upright box around it, as its card declares."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, similarity_transform
from synfiqa.actors.imaging.gray import LUMA, standardise
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.schemas.model_card import ModelCard

_MAX_SIDES = 4
"""Largest side of a face box, in longer sides of its image."""


def network_pixels(images: np.ndarray, card: ModelCard) -> np.ndarray:
    """Return float32 (N, C, S, S) for uint8 RGB (N, H, W, 3) as the card declares it; grey cards at any size too."""
    if card.channels != "gray":
        return network_input(images, card).numpy()
    low, high = card.value_range if card.normalise == "range" and card.value_range else (0.0, 255.0)
    colour = card.model_copy(update={"channels": "rgb", "normalise": "range", "value_range": (low, high)})
    grey = torch.einsum("nchw,c->nhw", network_input(images, colour), torch.tensor(LUMA))
    return (standardise(grey) if card.normalise == "per-image" else grey[:, None]).numpy()


def face_boxes(images: Sequence[np.ndarray], landmarks: np.ndarray, margin: float = 0.0) -> Iterator[np.ndarray]:
    """Yield the upright square of each image with centre and area of its aligned crop, black outside of the image.

    `margin` is the share by which its side is larger. Landmarks are (N, 5, 2) in pixels; where they are not finite,
    because no face was found, the whole image is taken, as the published expression filter does.
    """
    for image, points in zip(images, landmarks, strict=True):
        yield _face_box(image, points, margin) if np.isfinite(points).all() else image


def _face_box(image: np.ndarray, landmarks: np.ndarray, margin: float) -> np.ndarray:
    matrix = similarity_transform(landmarks[None])[0]
    side = (1 + margin) * ARCFACE_SIZE / np.hypot(*matrix[:, 0])
    if side > _MAX_SIDES * max(image.shape[:2]):
        raise ValueError("the landmarks span a face far larger than its image")
    size = max(1, round(side))
    middle = np.linalg.solve(matrix[:, :2], (ARCFACE_SIZE - 1) / 2 - matrix[:, 2])
    x0, y0 = np.rint(middle - (size - 1) / 2).astype(int).tolist()
    return np.array(Image.fromarray(image).crop((x0, y0, x0 + size, y0 + size)))
