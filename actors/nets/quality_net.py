"""The quality network: a small IResNet trunk on standardised grey faces, and a regression head on its last features."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.imaging.gray import LUMA, standardise
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.heads import DROPOUT, HEAD_WIDTH, small_head
from synfiqa.actors.nets.small_iresnet import SmallIResNet

ARCHITECTURE = "quality-net"
INPUT_SIZE = 112
BLOCKS = (1, 2, 2, 1)


class QualityNet(FiqaNetwork):
    """Regresses a quality label from grey faces; higher is better, no output activation.

    The head has the form of MR-FIQA's fixed-quality head (two hidden layers of Linear, BatchNorm, ReLU and one Linear
    to a scalar), narrower to suit the trunk. Its inputs are the global average of the last features, their global
    depthwise pool, which depends on positions in the face, as in recognition, and two bounded scalars for brightness
    and contrast, which standardisation removes.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int] = BLOCKS,
        head_width: int = HEAD_WIDTH,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.arguments = {"widths": list(widths), "blocks": list(blocks), "head_width": head_width}
        self.embedding_dim = widths[-1]
        backbone = SmallIResNet(in_channels=1, widths=widths, blocks=blocks)
        self.stem, self.stages = backbone.stem, backbone.stages
        self.pool = nn.Sequential(backbone.pool, backbone.pool_norm)
        # oneDNN's channels-last kernels (torch 2.15, AVX-512) corrupt the heap in training at widths 4 and 8
        safe = all(width >= 16 and width % 8 == 0 for width in widths)
        self._layout = torch.channels_last if safe else torch.contiguous_format
        self.to(memory_format=self._layout)
        self.head, self.score = small_head(2 * widths[-1] + 2, head_width, dropout)

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map luma (B, 112, 112) in 0..255 to depthwise pools (B, D), which are the embedding, and scores (B,)."""
        standard = standardise(x).contiguous(memory_format=self._layout)
        features = self.stages(self.stem(standard)).float()
        # In float32, because scores rounded to half precision would tie different faces.
        with torch.autocast(x.device.type, enabled=False):
            embedding = self.pool(features).flatten(1)
            pooled = [features.mean(dim=(2, 3)), embedding, exposure(x)]
            return embedding, self.score(self.head(torch.cat(pooled, dim=1))).squeeze(1)


def exposure(gray: Tensor) -> Tensor:
    """Return mean and standard deviation of luma (B, H, W), scaled to about -1..1, as (B, 2)."""
    mean = gray.mean(dim=(1, 2)) / 127.5 - 1
    spread = gray.std(dim=(1, 2), correction=0) / 64 - 1
    return torch.stack([mean, spread], dim=1)


def to_gray(images: np.ndarray) -> np.ndarray:
    """Return the luma (N, H, W) of uint8 RGB images (N, H, W, 3), rounded to uint8 (ITU-R BT.601)."""
    return np.rint(images @ np.array(LUMA, np.float32)).astype(np.uint8)
