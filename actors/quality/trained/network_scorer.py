"""Scores faces with a trained quality network."""

from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.state import require_finite
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.schemas.model_card import ModelCard


class NetworkScorer:
    """A `QualityScorer` (`synfiqa.actors.roles`) of a quality network with its card."""

    def __init__(self, model: QualityModel) -> None:
        self._model = model

    @property
    def card(self) -> ModelCard:
        """Return the card that states the input of the network."""
        return self._model.card

    @card.setter
    def card(self, card: ModelCard) -> None:
        self._model.card = card

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        return self._model.score(images).astype(np.float64)


def network_scorer(card: ModelCard, path: Path, running: Execution) -> NetworkScorer:
    """Load the quality network of a card."""
    network = load_network(card, path)
    assert isinstance(network, FiqaNetwork)
    require_finite(network.state_dict(), f"model '{card.name}' ({path.name})")
    return NetworkScorer(QualityModel(network, card, running.device))
