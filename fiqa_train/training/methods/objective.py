"""The common form of an objective: a network, what is trained beside it, and the loss of a batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Normalise = Callable[[Tensor], Tensor]
"""Maps float pixels 0..255, (B, 112, 112) luma or (B, 3, 112, 112) RGB, to the input of the network."""


class Objective(nn.Module):
    """A network with the loss that it is trained on.

    `beside` holds what is trained with the network and not published with it, such as class centres.
    """

    def __init__(self, network: nn.Module, normalise: Normalise) -> None:
        super().__init__()
        self.network = network
        self.beside = nn.ModuleDict()
        self._normalise = normalise

    def at_epoch(self, epoch: int) -> None:
        """Prepare for an epoch (from 0), for objectives that change while they are trained."""

    def forward(self, pixels: Tensor, quality: Tensor, classes: Tensor) -> dict[str, Tensor]:
        """Return `loss` and its terms, scalars, of a batch: float pixels (B, ...) in 0..255, labels (B,), classes (B,).

        Labels are NaN and classes -1 where a source has none.
        """
        raise NotImplementedError

    def scores(self, pixels: Tensor) -> Tensor:
        """Return scores float32 (B,) of float pixels in 0..255."""
        scores: Tensor = self.network(self._normalise(pixels))
        return scores.float()

    def embeddings_and_scores(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) and scores float32 (B,) of float pixels in 0..255."""
        embeddings, scores = self.network.embed_and_score(self._normalise(pixels))  # type: ignore[operator]
        return embeddings.float(), scores.float()


def known(quality: Tensor) -> Tensor:
    """Return which labels (B,) are there, bool (B,)."""
    return ~torch.isnan(quality)
