"""A quality network of colour faces for CPUs and edge devices: the small IResNet trunk and a regression head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from synfiqa.actors.imaging.gray import STD_FLOOR
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.heads import DROPOUT, HEAD_WIDTH, small_head
from synfiqa.actors.nets.small_iresnet import SmallIResNet

_FLOOR = 2 * STD_FLOOR / 255

WIDTHS = (32, 64, 128, 192)
BLOCKS = (1, 2, 2, 1)


class CompactNet(FiqaNetwork):
    """Regresses quality from RGB faces (B, 3, 112, 112) in -1..1 at about the cost of the grey `QualityNet`.

    Trunk, depthwise pool and embedding layer are those of `SmallIResNet` with three input channels. The head reads the
    global average of the last features and their depthwise pool, which depends on positions in the face. Brightness,
    contrast and colour reach it through the trunk, whose input is not standardised; `standardised` brings the three
    channels of a face together to mean 0 and standard deviation 1, so that colour alone is left of its light.
    """

    def __init__(
        self,
        widths: Sequence[int] = WIDTHS,
        blocks: Sequence[int] = BLOCKS,
        embedding_dim: int = 128,
        head_width: int = HEAD_WIDTH,
        dropout: float = DROPOUT,
        standardised: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = {
            "widths": list(widths),
            "blocks": list(blocks),
            "embedding_dim": embedding_dim,
            "head_width": head_width,
            "dropout": dropout,
        }
        # Cards of before this argument have no such key.
        self.arguments |= {"standardised": True} if standardised else {}
        self._standardised = standardised
        self.embedding_dim = embedding_dim
        trunk = SmallIResNet(3, widths, blocks, embedding_dim)
        self.stem, self.stages = trunk.stem, trunk.stages
        self.pool = nn.Sequential(trunk.pool, trunk.pool_norm)
        self.project, self.norm = trunk.project, trunk.norm
        # oneDNN's channels-last kernels (torch 2.15, AVX-512) corrupt the heap in training at widths 4 and 8
        safe = all(width >= 16 and width % 8 == 0 for width in widths)
        self._layout = torch.channels_last if safe else torch.contiguous_format
        self.to(memory_format=self._layout)
        self.head, self.score = small_head(2 * widths[-1], head_width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores float32 (B,) of RGB faces (B, 3, 112, 112) in -1..1."""
        features = self._features(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._score(features, self.pool(features).flatten(1))

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) and scores float32 (B,) of faces (B, 3, 112, 112) in -1..1."""
        features = self._features(x)
        with torch.autocast(x.device.type, enabled=False):
            pooled = self.pool(features).flatten(1)
            return self.norm(self.project(pooled)), self._score(features, pooled)

    def _features(self, x: Tensor) -> Tensor:
        if self._standardised:
            x = standardised_together(x)
        features: Tensor = self.stages(self.stem(x.contiguous(memory_format=self._layout)))
        return features.float()

    def _score(self, features: Tensor, pooled: Tensor) -> Tensor:
        scores: Tensor = self.score(self.head(torch.cat([features.mean(dim=(2, 3)), pooled], dim=1))).squeeze(1)
        return scores


def standardised_together(x: Tensor) -> Tensor:
    """Return RGB faces (B, 3, H, W) in -1..1 with mean 0 and standard deviation 1 (floored) over all three channels."""
    pixels = x.float()
    centred = pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)
    spread = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / spread.clamp_min(_FLOOR)
