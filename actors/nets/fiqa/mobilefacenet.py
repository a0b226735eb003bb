"""MobileFaceNet (Chen et al., 2018, table 1) with CR-FIQA's linear quality head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.prelu import QuickPReLU
from synfiqa.actors.nets.small_iresnet import GlobalDepthwise

ROWS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Bottlenecks as published: expansion, output channels, repeats, stride of the first."""
STEM, LAST = 64, 512
"""Channels of the stem, and of the map that the global depthwise convolution pools."""


class Bottleneck(nn.Module):
    """Expands by a 1 x 1 convolution, filters by a depthwise 3 x 3 one, and projects linearly; residual where equal."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.body = nn.Sequential(
            *convolved(inputs, hidden, 1),
            *convolved(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self._residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        result: Tensor = self.body(x)
        return x + result if self._residual else result


class MobileFaceNet(FiqaNetwork):
    """MobileFaceNet for RGB faces (B, 3, 112, 112) in -1..1; at its published size about a million parameters.

    `rows` are the bottlenecks (expansion, channels, repeats, stride of the first), which must halve the side three
    times. The embedding is the output of the last 1 x 1 convolution and its batch normalisation, as published, and `qs`
    is a Linear layer on it.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[int]] = ROWS,
        stem: int = STEM,
        last: int = LAST,
        embedding_dim: int = 128,
    ) -> None:
        super().__init__()
        self.arguments = {
            "rows": [list(row) for row in rows],
            "stem": stem,
            "last": last,
            "embedding_dim": embedding_dim,
        }
        self.embedding_dim = embedding_dim
        self.stem = nn.Sequential(*convolved(3, stem, 3, 2), *convolved(stem, stem, 3, groups=stem))
        layers, channels = [], stem
        for expansion, outputs, repeats, stride in rows:
            for index in range(repeats):
                layers.append(Bottleneck(channels, outputs, 1 if index else stride, expansion))
                channels = outputs
        self.stages = nn.Sequential(*layers, *convolved(channels, last, 1))
        self.pool = nn.Sequential(GlobalDepthwise(last), nn.BatchNorm2d(last))
        self.project = nn.Linear(last, embedding_dim, bias=False)
        self.features = nn.BatchNorm1d(embedding_dim)
        self.qs = nn.Linear(embedding_dim, 1)

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) and scores float32 (B,) of faces (B, 3, 112, 112) in -1..1."""
        features = self.stages(self.stem(x)).float()
        with torch.autocast(x.device.type, enabled=False):
            embedding = self.features(self.project(self.pool(features).flatten(1)))
            return embedding, self.qs(embedding).squeeze(1)


def convolved(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return a convolution that keeps the side at stride 1, its batch normalisation and PReLU."""
    return [
        nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        QuickPReLU(outputs),
    ]
