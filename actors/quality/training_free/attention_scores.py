"""ATTN-FIQA (arXiv 2604.22841): quality by the mean attention score before softmax in a transformer's last block."""

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.actors.quality.training_free.vit_layers import vit_layers
from synfiqa.schemas.model_card import ModelCard


class AttentionScores:
    """A `QualityScorer`: mean over heads and all pairs of tokens of q . k / sqrt(width of a head), last block."""

    def __init__(self, card: ModelCard, recogniser: Recogniser) -> None:
        """Take the network; UserError where it is no vision transformer."""
        self.card = card
        self._recogniser, self._attention = recogniser, vit_layers(recogniser, card.name).attention

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), unbounded, of uint8 RGB faces (N, 112, 112, 3)."""
        found = [np.empty(0)]
        for inputs, count in self._recogniser.calls(images):
            with torch.inference_mode():
                means = mean_score(self._qkv(inputs), self._attention.heads)
            found.append(means[:count].cpu().numpy())
        return np.concatenate(found)

    def _qkv(self, inputs: Tensor) -> Tensor:
        held: list[Tensor] = []
        handle = self._attention.qkv.register_forward_hook(lambda module, given, output: held.append(output))
        try:
            self._recogniser.module(inputs)
        finally:
            handle.remove()
        return held[-1]


def mean_score(qkv: Tensor, heads: int) -> Tensor:
    """Return the mean score float64 (N,) of queries, keys and values (N, T, 3 x width) of `heads` heads.

    The mean of all products is the product of the means, so that no T x T matrix is needed.
    """
    count, tokens, triple = qkv.shape
    width = triple // 3 // heads
    means = qkv.double().reshape(count, tokens, 3, heads, width).mean(dim=1)
    return (means[:, 0] * means[:, 1]).sum(dim=-1).mean(dim=-1) / width**0.5
