"""Quality without training: the norm of an embedding, and its agreement with that of the mirror image.

The norm grows with quality in networks trained with a margin (MagFace, Meng et al. 2021; AdaFace, Kim et al. 2022). A
face that is recognised well has nearly the embedding of its mirror image.
"""

from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.players import player
from synfiqa.actors.recognition.mirrored import both_sides
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard


class EmbeddingNorm:
    """A `QualityScorer` of the Euclidean norm of a face's embedding before it is scaled to a unit vector."""

    def __init__(self, card: ModelCard, embedder: Any) -> None:
        """Take the embedder; UserError where it does not return norms."""
        if not hasattr(embedder, "embed_with_norms"):
            raise UserError(f"scorer '{card.name}': {embedder.name} returns no norms; name an embedder with a network")
        self.card = card
        self._embedder = embedder

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 norms (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        norms: np.ndarray = self._embedder.embed_with_norms(images)[1]
        return norms.astype(np.float64)


class MirrorCosine:
    """A `QualityScorer` of the cosine between the embeddings of a face and of its mirror image."""

    def __init__(self, card: ModelCard, embedder: Any) -> None:
        self.card = card
        self._embedder = embedder

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 cosines (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        face, mirrored = both_sides(self._embedder, images)
        cosines: np.ndarray = np.sum(face.astype(np.float64) * mirrored, axis=1)
        return cosines


def embedding_norm(card: ModelCard, path: Path, running: Execution) -> EmbeddingNorm:
    """Return the norm by the bundled embedder that the card names."""
    return EmbeddingNorm(card, _embedder_of(card))


def mirror_cosine(card: ModelCard, path: Path, running: Execution) -> MirrorCosine:
    """Return the mirror cosine by the bundled embedder that the card names."""
    return MirrorCosine(card, _embedder_of(card))


def _embedder_of(card: ModelCard) -> Any:
    return player(Catalogue.load().model(str(card.arguments.get("embedder", "")), "embedder"))
