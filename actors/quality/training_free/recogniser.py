"""Opens the torch network of an embedder, for quality scorers that read its layers or gradients."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.actors.players import player
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard


@dataclass(frozen=True)
class Recogniser:
    """A recognition network, the card that states its input, and the digest (hex) of its weights.

    `permutation` are indices into R, G, B that replace the channel order of the card, such as (2, 1, 0) for BGR.
    """

    card: ModelCard
    network: BatchedNetwork
    digest: str = ""
    permutation: tuple[int, int, int] | None = None

    @property
    def module(self) -> nn.Module:
        """Return the torch module, in evaluation mode; it maps inputs (N, C, S, S) to embeddings (N, D)."""
        return self.network.module

    @property
    def batch(self) -> int:
        """Return the number of faces of every call, short ones padded."""
        return self.network.running.call_size

    def inputs(self, images: np.ndarray) -> Tensor:
        """Return the input float32 (N, C, S, S) of uint8 RGB faces (N, 112, 112, 3), on the device of the network."""
        card, device = self.card, self.network.running.device
        if self.permutation is None:
            return network_input(images, card, device)
        rgb = network_input(images, card.model_copy(update={"channels": "rgb"}), device)
        return rgb[:, list(self.permutation)]

    def calls(self, images: np.ndarray) -> Iterator[tuple[Tensor, int]]:
        """Yield inputs (batch, C, S, S) and how many of them are faces; the others are zeros.

        Equal shapes at every call keep scores independent of how many faces a caller has.
        """
        for start in range(0, len(images), self.batch):
            yield self.padded(self.inputs(images[start : start + self.batch]))

    def padded(self, inputs: Tensor) -> tuple[Tensor, int]:
        """Return inputs (n, C, S, S), n at most the batch, filled up with zeros, and n."""
        filled = functional.pad(inputs, (0, 0, 0, 0, 0, 0, 0, self.batch - len(inputs)))
        return filled.to(self.network.running.device, self.network.running.dtype), len(inputs)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return embeddings float64 (N, D), not normalised, of inputs (N, C, S, S), in calls of equal size."""
        found = []
        for start in range(0, len(inputs), self.batch):
            filled, count = self.padded(inputs[start : start + self.batch])
            with torch.inference_mode():
                found.append(self.module(filled)[:count].double())
        return torch.cat(found)


def recogniser_of(model: Model, scorer: str, permutation: tuple[int, int, int] | None = None) -> Recogniser:
    """Load an embedder of the model store and open its network; UserError for one without a torch network.

    `scorer` names in messages what needs it. UserError too for a channel permutation of a network of grey input.
    """
    embedder = player(model)
    if not isinstance(embedder, NetworkEmbedder):
        raise UserError(
            f"scorer '{scorer}': {model.name} ({model.card.architecture}) is no torch network, so that its layers "
            "cannot be read; name an embedder such as an IResNet, AdaFace, FaceNet or bundled-a"
        )
    if permutation is not None and (embedder.card.channels == "gray" or sorted(permutation) != [0, 1, 2]):
        raise UserError(
            f"scorer '{scorer}': the channel permutation {list(permutation)} must order 0, 1, 2 of a network of three "
            f"channels, and {model.name} takes {embedder.card.channels}; correct it or leave it out"
        )
    return Recogniser(embedder.card, embedder.network, digest_of(model), permutation)
