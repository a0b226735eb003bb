"""What every trainable network of face image quality offers: scores, and an embedding from the same pass."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class FiqaNetwork(nn.Module, ABC):
    """Base: maps a batch of aligned faces to quality scores and to embeddings; a higher score is a better face.

    `arguments` are JSON values that build the network again. `embedding_dim` is D, the length of an embedding. The
    input is that of the network's row in `synfiqa.actors.nets.fiqa.table.TRAINABLE`. Scores are float32 also under
    autocast, because scores rounded to half precision would tie different faces.
    """

    arguments: dict[str, Any]
    embedding_dim: int

    def forward(self, x: Tensor) -> Tensor:
        """Return scores float32 (B,), unbounded, of a batch of faces."""
        return self.embed_and_score(x)[1]

    @abstractmethod
    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) and scores float32 (B,) of a batch of faces."""
