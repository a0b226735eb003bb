"""The base of image-text models: cosines of unit features, and the check of a card against a model's files."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.imaging.preprocess import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard


class DualEncoder(ABC):
    """An `ImageText` (`synfiqa.actors.roles`) of two towers. Subclasses run the towers; captions are encoded once."""

    def __init__(self, card: ModelCard, module: nn.Module, running: Execution) -> None:
        self.name = card.name
        self.card = card
        self._network = BatchedNetwork(module, running)
        self._captions: dict[str, Tensor] = {}

    @abstractmethod
    def image_features(self, inputs: Tensor) -> Tensor:
        """Return features (N, D) of network inputs (N, 3, S, S), of any length."""

    @abstractmethod
    def text_features(self, caption: str) -> Tensor:
        """Return features (1, D) of a caption, of any length."""

    def prepare(self, images: np.ndarray) -> Tensor:
        """Return the network input (N, 3, S, S) of uint8 RGB images (N, H, W, 3), as the card declares it."""
        return network_input(images, self.card, self._network.running.device)

    def similarity(self, images: np.ndarray, caption: str) -> np.ndarray:
        """Return float32 (N,) cosines in [-1, 1] for uint8 RGB (N, 112, 112, 3)."""
        return self.similarities(images, [caption])[:, 0]

    def similarities(self, images: np.ndarray, captions: Sequence[str]) -> np.ndarray:
        """Return float32 (N, len(captions)) cosines in [-1, 1]; the image tower runs once."""
        text = torch.stack([self._unit_text(caption) for caption in captions])
        if not len(images):
            return np.empty((0, len(captions)), np.float32)

        def cosines(inputs: Tensor) -> Tensor:
            # A product and a sum rather than a matrix product, whose rounding would depend on the number of captions.
            products = _unit(self.image_features(inputs))[:, None] * text[None]
            return products.sum(dim=-1).clamp(-1, 1)

        return self._network(images, self.prepare, cosines)

    def _unit_text(self, caption: str) -> Tensor:
        if caption not in self._captions:
            with torch.inference_mode():
                self._captions[caption] = _unit(self.text_features(caption))[0]
        return self._captions[caption]


def _unit(features: Tensor) -> Tensor:
    # Cosines are computed in float32 for towers of any precision.
    return functional.normalize(features.float(), dim=-1)


def check_input(
    card: ModelCard,
    source: Path,
    size: int | Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    resize: str | None = None,
) -> None:
    """Compare the card with the input that a model's own files declare; UserError names all differences.

    `mean` and `std` are per R, G, B of 0..1; None stands for what the files do not declare.
    """
    own_mean, own_std = mean_and_deviation(card)
    sides = {card.input_size} if size is None else {size} if isinstance(size, int) else set(size)
    differing = [
        f"{what} {theirs} instead of {ours}"
        for what, ours, theirs, same in (
            ("size", card.input_size, size, sides == {card.input_size}),
            ("mean", own_mean, mean, mean is None or _close(own_mean, mean)),
            ("deviation", own_std, std, std is None or _close(own_std, std)),
            ("resizing", card.resize, resize, resize in (None, card.resize)),
        )
        if not same
    ]
    if card.channels != "rgb":
        differing.append(f"channels rgb instead of {card.channels}")
    if differing:
        raise UserError(f"model '{card.name}': {source} declares {', '.join(differing)}: correct the card")


def mean_and_deviation(card: ModelCard) -> tuple[Sequence[float], Sequence[float]]:
    """Return the mean and standard deviation of R, G, B in 0..1 by which the card normalises."""
    if card.normalise == "range" and card.value_range is not None:
        low, high = card.value_range
        return (-low / (high - low),) * 3, (1 / (high - low),) * 3
    return (IMAGENET_MEAN, IMAGENET_STD) if card.normalise == "imagenet" else (CLIP_MEAN, CLIP_STD)


def _close(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    return len(ours) == len(theirs) and bool(np.allclose(ours, theirs, atol=1e-3))
