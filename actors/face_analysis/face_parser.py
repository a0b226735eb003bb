"""Segments portraits into face parts, and paints everything but the face white."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.imaging.preprocess import normalised
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.schemas.model_card import ModelCard

NOT_FACE = (0, 7, 8, 9, 14, 15, 16, 17, 18)
"""Indices into `PARTS` that are painted white before the published identity encoder."""


class FaceParser:
    """A face parser on BiSeNet, for whole portraits at their own size."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the weights of the card; UserError when they do not fit."""
        self.card = card
        self._network = BatchedNetwork(load_network(card, path), running)

    def parts(self, images: np.ndarray) -> np.ndarray:
        """Return uint8 (N, H, W), indices into `synfiqa.actors.roles.PARTS`, of uint8 RGB portraits (N, H, W, 3)."""
        if not len(images):
            return np.zeros(images.shape[:3], np.uint8)
        return self._network(images, self._input, self._likeliest).astype(np.uint8)

    def white_out(self, images: np.ndarray) -> np.ndarray:
        """Return the portraits with background, ears, neck, clothes, hair and hat white; glasses stay."""
        whitened = images.copy()
        whitened[np.isin(self.parts(images), NOT_FACE)] = 255
        return whitened

    def _input(self, images: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._network.running.device)
        return normalised(pixels.permute(0, 3, 1, 2).float(), self.card)

    def _likeliest(self, pixels: Tensor) -> Tensor:
        return self._network.module(pixels).argmax(dim=1)
