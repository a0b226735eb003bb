"""CLIB-FIQA (Ou et al., CVPR 2024): quality as the most probable of captions that name five factors and a level."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from synfiqa.actors.image_text import open_clip
from synfiqa.actors.image_text.open_clip import OpenClipImageText
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.trained.quality_model import require_faces
from synfiqa.schemas.model_card import CardPart, ModelCard

FACTORS: dict[str, tuple[str, ...]] = {
    "blur": ("hazy", "blurry", "clear"),
    "occlusion": ("obstructed", "unobstructed"),
    "pose": ("profile", "slight angle", "frontal"),
    "expression": ("exaggerated expression", "typical expression"),
    "illumination": ("extreme lighting", "normal lighting"),
    "quality": ("bad", "poor", "fair", "good", "perfect"),
}
"""Factor -> its words, from the worst to the best; the published weights were trained with exactly these."""
CAPTION = "a photo of a {}, {}, and {} face with {} under {}, which is of {} quality"
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quality of each level."""
SCALE = 100.0
"""Of cosines before the softmax: CLIP's own, at which its training stopped."""


class PromptArguments(CardPart):
    """Card arguments: those of an open_clip model, and the scale of its logits."""

    model: str | None = Field(None, description="name of open_clip")
    config: dict[str, Any] | None = Field(None, description="dictionary that such a name stands for")
    scale: float = Field(SCALE, gt=0, description="factor of cosines before the softmax")


class FactorPrompts:
    """A `QualityScorer` (`synfiqa.actors.roles`) by 360 captions and an open_clip network, 0.1..0.9.

    The probabilities of all captions (softmax of scaled cosines) are summed over the five factors; the score is the
    expected quality of the five levels. With weights that were not trained on these captions it is a zero-shot guess.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the network of the card; UserError when it does not fit. Captions are encoded at the first score."""
        self._scale = arguments_of(card, PromptArguments).scale
        self._network = OpenClipImageText(_network_card(card), path, running)
        self.card = card
        self._captions = [CAPTION.format(*words) for words in product(*FACTORS.values())]

    @property
    def card(self) -> ModelCard:
        """Return the card that states the input of the network."""
        return self._card

    @card.setter
    def card(self, card: ModelCard) -> None:
        self._card = card
        self._network.card = _network_card(card)

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        levels: np.ndarray = self.factors(images)["quality"] @ np.array(LEVELS)
        return levels

    def factors(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probabilities float64 (N, words) of the words of each factor, by its name in `FACTORS`."""
        require_faces(images)
        logits = self._network.similarities(images, self._captions).astype(np.float64) * self._scale
        shares = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        shares /= shares.sum(axis=1, keepdims=True)
        joint = shares.reshape(len(images), *(len(words) for words in FACTORS.values()))
        axes = range(1, joint.ndim)
        return {
            name: joint.sum(axis=tuple(axis for axis in axes if axis != own))
            for own, name in enumerate(FACTORS, start=1)
        }


def write_random(card: ModelCard, folder: Path, seed: int) -> None:
    """Write a folder of open_clip's hub layout with random weights, for the card's `model` or `config`."""
    open_clip.write_random(_network_card(card), folder, seed)


def _network_card(card: ModelCard) -> ModelCard:
    """Return the card of the image-text network behind a scorer."""
    arguments = {key: value for key, value in card.arguments.items() if key != "scale"}
    return card.model_copy(update={"arguments": arguments})
