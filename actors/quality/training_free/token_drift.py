"""ViTNT-FIQA (arXiv 2601.05741): quality by how little patch tokens change from block to block of a transformer."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.actors.quality.training_free.vit_layers import vit_layers
from synfiqa.schemas.model_card import ModelCard

SCALE = 8.0
"""Of the distance in the exponent."""


class TokenDrift:
    """A `QualityScorer`: mean over patches of 2 / (1 + exp(8 d)), d the mean change of a patch's unit token.

    Tokens after each block pass the network's last normalisation and are scaled to unit length; the change is the
    Euclidean distance between those of consecutive blocks. The quality token is left out.
    """

    def __init__(self, card: ModelCard, recogniser: Recogniser) -> None:
        """Take the network; UserError where it is no vision transformer."""
        self.card = card
        self._recogniser, self._layers = recogniser, vit_layers(recogniser, card.name)

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), 0..1, of uint8 RGB faces (N, 112, 112, 3)."""
        found = [np.empty(0)]
        for inputs, count in self._recogniser.calls(images):
            with torch.inference_mode():
                drift = torch.stack(self._changes(inputs)).mean(dim=0)
                found.append((2 / (1 + (SCALE * drift).exp())).mean(dim=1)[:count].cpu().numpy())
        return np.concatenate(found)

    def _changes(self, inputs: Tensor) -> list[Tensor]:
        """Return the distances float64 (N, patches) between consecutive blocks."""
        changes: list[Tensor] = []
        last: list[Tensor] = []

        def compare(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            tokens = functional.normalize(self._layers.norm(output[:, 1:].float()), dim=-1).double()
            if last:
                changes.append((tokens - last.pop()).norm(dim=-1))
            last.append(tokens)

        handles = [block.register_forward_hook(compare) for block in self._layers.blocks]
        try:
            self._recogniser.module(inputs)
        finally:
            for handle in handles:
                handle.remove()
        return changes
