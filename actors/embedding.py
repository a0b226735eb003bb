"""Recognition embeddings of aligned faces by any network that a card describes, and their lengths."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from actors.alignment import ARCFACE_SIZE
from actors.model_store.loading import load_network
from actors.network import BatchedNetwork, Running
from actors.preprocess import network_input
from schemas.model_card import ModelCard


class NetworkEmbedder:
    """An `actors.roles.Embedder` of a network that returns (N, D); size, channels and range are as its card says."""

    def __init__(self, card: ModelCard, path: Path, running: Running) -> None:
        """Load the weights of the card; UserError when they do not fit."""
        self.name = card.name
        self.card = card
        self._network = BatchedNetwork(load_network(card, path), running)

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, D) unit vectors of uint8 RGB (N, 112, 112, 3)."""
        return self.embed_with_norms(images)[0]

    def embed_with_norms(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return unit vectors (N, D) and the lengths (N,) that they had, which MagFace and AdaFace read as quality."""
        if images.shape[1:] != (ARCFACE_SIZE, ARCFACE_SIZE, 3):
            side = ARCFACE_SIZE
            raise ValueError(f"{self.name} takes aligned faces (N, {side}, {side}, 3), not {images.shape}")
        if not len(images):
            vectors, norms = self.embed_with_norms(np.zeros((1, ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8))
            return vectors[:0], norms[:0]
        found = self._network(images, self._prepare, self._forward)
        return np.ascontiguousarray(found[:, :-1]), found[:, -1].copy()

    def _prepare(self, images: np.ndarray) -> Tensor:
        return network_input(images, self.card, self._network.running.device)

    def _forward(self, inputs: Tensor) -> Tensor:
        # In float32 whatever the network's precision: lengths of 20 and more leave half precision few digits.
        embeddings = self._network.module(inputs).float()
        return torch.cat([functional.normalize(embeddings), embeddings.norm(dim=1, keepdim=True)], dim=1)
