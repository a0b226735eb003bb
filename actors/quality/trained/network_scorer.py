"""Scores faces with a trained quality network."""

from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.state import require_finite
from synfiqa.actors.nets.quality_net import QualityModel, QualityNet
from synfiqa.schemas.model_card import ModelCard


class NetworkScorer:
    """A `QualityScorer` (`synfiqa.actors.roles`) of a quality network with its card."""

    def __init__(self, model: QualityModel) -> None:
        self.card: ModelCard = model.card
        self._model = model

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        return self._model.score(images).astype(np.float64)


def network_scorer(card: ModelCard, path: Path, running: Execution) -> NetworkScorer:
    """Load the quality network of a card."""
    network = load_network(card, path)
    assert isinstance(network, QualityNet)
    require_finite(network.state_dict(), f"model '{card.name}' ({path.name})")
    return NetworkScorer(QualityModel(network, card, running.device))
