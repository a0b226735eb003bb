"""The bundled image-text model: a small CLIP trained on this project's own renders and their generated captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from open_clip.model import CLIP
from torch import Tensor

from synfiqa.actors.image_text.dual_encoder import DualEncoder
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.nets.small_clip import WordTokenizer, clip_input, small_clip
from synfiqa.schemas.model_card import ModelCard


class SmallClip(DualEncoder):
    """The CLIP whose size and vocabulary are on its card; images are area-resized, as in training."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the weights of the card; UserError when they do not fit."""
        clip = load_network(card, path)
        assert isinstance(clip, CLIP)
        self.clip = clip
        self.tokenizer = WordTokenizer(card.arguments["vocabulary"], clip.context_length)
        super().__init__(card, clip, running)

    def prepare(self, images: np.ndarray) -> Tensor:
        """Return the network input (N, 3, S, S) of uint8 RGB images (N, H, W, 3)."""
        return clip_input(images, self.card.input_size)

    def image_features(self, inputs: Tensor) -> Tensor:
        """Return features (N, D) of network inputs (N, 3, S, S), of any length."""
        features: Tensor = self.clip.encode_image(inputs)
        return features

    def text_features(self, caption: str) -> Tensor:
        """Return features (1, D) of a caption, of any length."""
        tokens = self.tokenizer([caption]).to(self._network.running.device)
        features: Tensor = self.clip.encode_text(tokens)
        return features


def small_clip_of(vocabulary: Sequence[str], **sizes: Any) -> CLIP:
    """Return an untrained `SmallClip` network for a card's words and its arguments of `small_clip`."""
    return small_clip(WordTokenizer(vocabulary).vocab_size, **sizes)
