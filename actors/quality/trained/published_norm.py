"""Quality by the norm of the embedding of a published recognition network: MagFace (Meng et al., 2021), AdaFace.

The card of such a scorer is that of the network: its weights, digest, input and licence. The scorer `norm` reads the
embedder of a run instead.
"""

from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.trained.quality_model import require_faces
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder
from synfiqa.schemas.model_card import ModelCard


class PublishedNorm:
    """A `QualityScorer` (`synfiqa.actors.roles`) of the Euclidean norm before an embedding becomes a unit vector."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the recognition network of the card; UserError when its weights do not fit."""
        self._embedder = NetworkEmbedder(card, path, running)

    @property
    def card(self) -> ModelCard:
        """Return the card that states the input of the network."""
        return self._embedder.card

    @card.setter
    def card(self, card: ModelCard) -> None:
        self._embedder.card = card

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 norms (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        require_faces(images)
        norms: np.ndarray = self._embedder.embed_with_norms(images)[1]
        return norms.astype(np.float64)
