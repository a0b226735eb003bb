"""Embeds faces with any recognition network that a card describes, and crops faces for one."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.actors.roles import Detection
from synfiqa.schemas.model_card import ModelCard

Crop = Literal["aligned", "box"]
"""Crops of a recognition network's training: faces aligned by five landmarks, or the detector's box."""

_TRAINED_ON_BOXES = frozenset({"facenet"})


class NetworkEmbedder:
    """An `Embedder` (`synfiqa.actors.roles`) of a network that returns (N, D), with the input of its card.

    It takes aligned faces, and crops of the card's own input size, which are not resized.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the weights of the card; UserError when they do not fit."""
        self.name = card.name
        self.card = card
        self._network = BatchedNetwork(load_network(card, path), running)

    @property
    def network(self) -> BatchedNetwork:
        """Return the torch network on its device, for scorers that read its layers."""
        return self._network

    @property
    def crop(self) -> Crop:
        """Return the crops that the published networks of the card's architecture were trained on."""
        return "box" if self.card.architecture in _TRAINED_ON_BOXES else "aligned"

    @property
    def side(self) -> int:
        """Return the side in pixels of the network's input."""
        return self.card.input_size

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, D) unit vectors of uint8 RGB (N, 112, 112, 3), or (N, side, side, 3)."""
        return self.embed_with_norms(images)[0]

    def embed_with_norms(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return unit vectors (N, D) and the norms (N,) before scaling, the quality proxy of MagFace and AdaFace."""
        sides = sorted({ARCFACE_SIZE, self.side})
        if images.shape[1:] not in [(side, side, 3) for side in sides]:
            shapes = " or ".join(f"(N, {side}, {side}, 3)" for side in sides)
            raise ValueError(f"{self.name} takes aligned faces {shapes}, not {images.shape}")
        if not len(images):
            vectors, norms = self.embed_with_norms(np.zeros((1, ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8))
            return vectors[:0], norms[:0]
        found = self._network(images, self._prepare, self._forward)
        return np.ascontiguousarray(found[:, :-1]), found[:, -1].copy()

    def _prepare(self, images: np.ndarray) -> Tensor:
        return network_input(images, self.card, self._network.running.device)

    def _forward(self, inputs: Tensor) -> Tensor:
        # Always in float32: norms of 20 and more leave half precision few digits.
        embeddings = self._network.module(inputs).float()
        return torch.cat([functional.normalize(embeddings), embeddings.norm(dim=1, keepdim=True)], dim=1)


def conditioning_crop(image: np.ndarray, face: Detection | None, side: int) -> np.ndarray:
    """Return the uint8 RGB crop (side, side, 3) that the published control branch has its face embeddings from.

    The detector's box without a margin, in whole pixels inside of the image, is stretched to the square, as
    facenet-pytorch's MTCNN does; without a face the whole image is.
    """
    picture = Image.fromarray(image)
    if face is not None:
        height, width = image.shape[:2]
        x0, y0, x1, y1 = np.clip(face.box, 0, [width, height] * 2).astype(int).tolist()
        # A box outside the image, or of no area, becomes the pixel nearest to it.
        left, top = min(x0, width - 1), min(y0, height - 1)
        picture = picture.crop((left, top, max(x1, left + 1), max(y1, top + 1)))
    return np.array(picture.resize((side, side), Image.Resampling.BILINEAR))
