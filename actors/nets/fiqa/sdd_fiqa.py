"""The quality regressor of SDD-FIQA (Ou et al., CVPR 2021): an IR network under the published tensor names."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from synfiqa.actors.nets.adaface import WIDTHS, ResidualBlock
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork

LAYERS = (3, 4, 14, 3)
"""Blocks of each stage of the published R50."""
DROPOUT = 0.5


class SddFiqa(FiqaNetwork):
    """SDD-FIQA's R50 for RGB faces (B, 3, 112, 112) in -1..1; scores about 0..100.

    `quality` reads the map of the last stage directly: PReLU with a weight for each of its values, and a Linear layer.
    What it returns as embedding is that map in a row. `layers` and `widths` make it smaller.
    """

    def __init__(self, layers: Sequence[int] = LAYERS, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        if len(layers) != len(WIDTHS) or len(widths) != len(WIDTHS) or min(layers) < 1:
            raise ValueError(f"layers and widths must be four counts each, not {list(layers)} and {list(widths)}")
        self.arguments = {"layers": list(layers), "widths": list(widths)}
        first = widths[0]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first)
        )
        blocks, channels = [], first
        for width, count in zip(widths, layers, strict=True):
            for index in range(count):
                blocks.append(ResidualBlock(channels, width, 1 if index else 2, between=False))
                channels = width
        self.body = nn.Sequential(*blocks)
        self.embedding_dim = channels * 7 * 7
        self.quality = nn.Sequential(
            nn.Flatten(), nn.PReLU(self.embedding_dim), nn.Dropout(DROPOUT), nn.Linear(self.embedding_dim, 1)
        )

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last map float32 (B, C * 49) and scores float32 (B,) of faces (B, 3, 112, 112) in -1..1."""
        features = self.body(self.input_layer(x)).float()
        with torch.autocast(x.device.type, enabled=False):
            return features.flatten(1), self.quality(features).squeeze(1)
