"""SER-FIQ (Terhörst et al. 2020) by dropout before the last layer of a recognition network."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.seeds import derive_seed, generator

PASSES = 100
"""Stochastic passes T of the published method."""
_VALUES = 1 << 24
"""Masked features in memory at once."""


class SerFiq:
    """A `QualityScorer`: 2 / (1 + exp(d)), d the mean distance between embeddings under T dropout masks.

    The network runs once up to its last Linear layer; from there T copies of its input, each with other features
    dropped, become unit vectors. The masks are drawn once from `arguments.seed` and are the same for all faces. They
    drop the share of the network's own last dropout, or `arguments.dropout` where it has none.
    """

    def __init__(self, card: ModelCard, recogniser: Recogniser) -> None:
        """Take the network; UserError for one that does not end with a Linear layer and what follows it."""
        self.card = card
        self._recogniser = recogniser
        self._linear, self._tail = _ending(recogniser, card.name)
        own = [module.p for module in recogniser.module.modules() if isinstance(module, nn.Dropout) and module.p > 0]
        self._dropped = own[-1] if own else float(card.arguments.get("dropout", 0.5))
        self._masks = self._draw(int(card.arguments.get("passes", PASSES)), int(card.arguments.get("seed", 0)))

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), 0..1, of uint8 RGB faces (N, 112, 112, 3)."""
        found = [np.empty(0)]
        for inputs, count in self._recogniser.calls(images):
            with torch.inference_mode():
                distances = mean_distances(self._embeddings(self._features(inputs)))
            found.append((2 / (1 + distances.exp()))[:count].cpu().numpy())
        return np.concatenate(found)

    def _features(self, inputs: Tensor) -> Tensor:
        """Return what enters the last Linear layer, (N, F)."""
        held: list[Tensor] = []
        handle = self._linear.register_forward_pre_hook(lambda module, given: held.append(given[0]))
        try:
            self._recogniser.module(inputs)
        finally:
            handle.remove()
        return held[-1]

    def _embeddings(self, features: Tensor) -> Tensor:
        """Return unit vectors (N, T, D) of features (N, F) under the masks (T, F)."""
        at_once = max(1, _VALUES // features.numel())
        found = []
        for start in range(0, len(self._masks), at_once):
            masks = self._masks[start : start + at_once].to(features)
            masked = (features[:, None] * masks).flatten(0, 1)
            vectors = self._tail(self._linear(masked)).float()
            found.append(functional.normalize(vectors).reshape(len(features), len(masks), -1))
        return torch.cat(found, dim=1)

    def _draw(self, passes: int, seed: int) -> Tensor:
        shape = (passes, self._linear.in_features)
        kept = generator(derive_seed(seed, "ser-fiq")).random(shape, dtype=np.float32) >= self._dropped
        masks = torch.from_numpy(kept.astype(np.float32) / np.float32(1 - self._dropped))
        return masks.to(self._recogniser.network.running.device)


def mean_distances(vectors: Tensor) -> Tensor:
    """Return the mean Euclidean distance float64 (N,) over all pairs of the T vectors (N, T, D) of a face."""
    count = vectors.shape[1]
    # By differences: products would lose the small distances of good faces to rounding.
    apart = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")
    return apart.double().sum(dim=(1, 2)) / (count * (count - 1))


def _ending(recogniser: Recogniser, scorer: str) -> tuple[nn.Linear, nn.Sequential]:
    """Return the last Linear layer that runs, and the modules after it, proven to give the network's output."""
    order: list[nn.Module] = []
    outputs: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        order.append(module)
        outputs.append(output)

    ramp = np.tile(np.arange(112, dtype=np.uint8)[:, None, None], (1, 1, 112, 3))
    leaves = [module for module in recogniser.module.modules() if not any(module.children())]
    handles = [module.register_forward_hook(note) for module in leaves]
    try:
        with torch.inference_mode():
            whole = recogniser.module(recogniser.padded(recogniser.inputs(ramp))[0])
    finally:
        for handle in handles:
            handle.remove()
    at = max((index for index, module in enumerate(order) if isinstance(module, nn.Linear)), default=-1)
    if at >= 0:
        linear = order[at]
        assert isinstance(linear, nn.Linear)
        tail = nn.Sequential(*order[at + 1 :])
        with torch.inference_mode():
            again = tail(outputs[at])
        if outputs[at].ndim == 2 and again.shape == whole.shape and torch.allclose(again, whole, rtol=1e-4, atol=1e-6):
            return linear, tail
    raise UserError(
        f"scorer '{scorer}': {recogniser.card.name} does not end with a Linear layer, whose inputs it drops; name an "
        "embedder such as an IResNet, AdaFace or FaceNet"
    )
