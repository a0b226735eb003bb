"""The quality networks of CR-FIQA and MR-FIQA: IResNet with a quality head, under the published tensor names."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.heads import label_head
from synfiqa.actors.nets.insightface import EMBEDDING_DIM, WIDTHS, IResNet

Head = Literal["linear", "label"]
"""`linear`: CR-FIQA's Linear layer on the embedding; `label`: MR-FIQA's fixed-quality head on the last feature map."""
INIT_STD = 0.1
"""Standard deviation of convolution weights at the start (CR-FIQA)."""
DROPOUT = 0.4
"""Share of inputs of the embedding layer that training sets to 0 (CR-FIQA)."""


class FiqaIResNet(IResNet, FiqaNetwork):
    """IResNet-18, -34, -50 or -100 with a quality head `qs`, for RGB faces (B, 3, 112, 112) in -1..1.

    `layers` (four block counts) stands in for `depth`; `widths` and `embedding_dim` make it smaller. The head reads the
    un-normalised embedding (`linear`) or the map of stage 4 before the last BatchNorm2d (`label`); its gradient reaches
    the trunk. ValueError for an unknown head or depth.
    """

    def __init__(
        self,
        depth: int = 50,
        layers: Sequence[int] | None = None,
        head: Head = "linear",
        dropout: float = DROPOUT,
        widths: Sequence[int] = WIDTHS,
        embedding_dim: int = EMBEDDING_DIM,
    ) -> None:
        super().__init__(depth, layers, dropout=dropout, widths=widths, embedding_dim=embedding_dim)
        if head not in ("linear", "label"):
            raise ValueError(f"head must be linear or label, not {head}")
        size: dict[str, Any] = {"depth": depth} if layers is None else {"layers": list(layers)}
        if tuple(widths) != WIDTHS:
            size["widths"] = list(widths)
        if embedding_dim != EMBEDDING_DIM:
            size["embedding_dim"] = embedding_dim
        self.arguments = {**size, "head": head, "dropout": dropout}
        self.embedding_dim = embedding_dim
        self.qs: nn.Module = nn.Linear(embedding_dim, 1) if head == "linear" else label_head(widths[-1])
        self._from_map = head == "label"
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=INIT_STD)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores float32 (B,) of RGB faces (B, 3, 112, 112) in -1..1."""
        if not self._from_map:
            return self.embed_and_score(x)[1]
        features = self.feature_map(x).float()
        with torch.autocast(x.device.type, enabled=False):
            return self._score(features)

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) and scores float32 (B,) of faces (B, 3, 112, 112) in -1..1."""
        features = self.feature_map(x).float()
        with torch.autocast(x.device.type, enabled=False):
            embedding = self.embed(features)
            return embedding, self._score(features if self._from_map else embedding)

    def _score(self, read: Tensor) -> Tensor:
        scores: Tensor = self.qs(read).squeeze(1)
        return scores
