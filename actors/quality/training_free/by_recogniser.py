"""Builds the scorers that read a recognition network, by the architecture of their card."""

from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.actors.model_store.architectures.table import load
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.training_free.recogniser import Recogniser, recogniser_of
from synfiqa.actors.roles import QualityScorer
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

_HERE = "synfiqa.actors.quality.training_free"
CLASSES = {
    "perturbation": f"{_HERE}.perturbation:Perturbation",
    "ser-fiq": f"{_HERE}.ser_fiq:SerFiq",
    "grafiqs": f"{_HERE}.grafiqs:Grafiqs",
    "vitnt": f"{_HERE}.token_drift:TokenDrift",
    "attn": f"{_HERE}.attention_scores:AttentionScores",
}
"""Architecture -> `module:class` of (card, recogniser)."""


def build_scorer(card: ModelCard, recogniser: Recogniser) -> QualityScorer:
    """Return the scorer of a card with a network; UserError where the network lacks what it reads."""
    scorer: QualityScorer = load(CLASSES[card.architecture])(card, recogniser)
    return scorer


def by_recogniser(card: ModelCard, path: Path, running: Execution) -> Any:
    """Return the scorer with the bundled embedder that the card names.

    A card without one (no bundled embedder is a transformer) gives a scorer that refuses to score.
    """
    name = str(card.arguments.get("embedder", ""))
    if not name:
        return _WithoutNetwork(card)
    return build_scorer(card, recogniser_of(Catalogue.load().model(name, "embedder"), card.name))


class _WithoutNetwork:
    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def score(self, images: np.ndarray) -> np.ndarray:
        raise UserError(f"scorer '{self.card.name}' has no network: name one as models.embedder")
