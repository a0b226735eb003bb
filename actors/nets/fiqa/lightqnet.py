"""The network of LightQNet (Chen et al., 2021): a small MobileNetV3 with ReLU alone, as its frozen graphs hold it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.nets.fiqa.contract import FiqaNetwork

EPS = 2e-5
"""Of the batch normalisations, an attribute of the published graphs that no tensor holds."""
STEM, FEATURES = 16, 6
"""Channels of the first convolution, and of the last one in multiples of the channels before it."""
ROWS = (
    *((0, 16, 2), (4.5, 24, 2), (3.67, 24, 1), (4, 40, 2), (6, 40, 1), (6, 40, 1)),
    *((3, 48, 1), (3, 48, 1), (6, 96, 2), (6, 96, 1), (6, 96, 1)),
)
"""Expansion (0: none), output channels and stride of each block, at multiplier 1."""


class ConvNorm(nn.Module):
    """A convolution padded as TensorFlow's SAME, its batch normalisation, and ReLU where `active`."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1, *, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, side, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=EPS)
        self._side, self._stride, self._active = side, stride, active

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride), rounded up."""
        left, right = same_padding(x.shape[3], self._side, self._stride)
        top, bottom = same_padding(x.shape[2], self._side, self._stride)
        result: Tensor = self.norm(self.conv(functional.pad(x, (left, right, top, bottom))))
        return result.relu() if self._active else result


class InvertedResidual(nn.Module):
    """Expands by a 1 x 1 convolution, filters by a depthwise 3 x 3 one, projects linearly; residual where equal."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: float) -> None:
        super().__init__()
        hidden = rounded(inputs * expansion) if expansion else inputs
        self.expand = ConvNorm(inputs, hidden, 1) if expansion else nn.Identity()
        self.depthwise = ConvNorm(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs, 1, active=False)
        self._residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        result: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + result if self._residual else result


class LightQNet(FiqaNetwork):
    """LightQNet for RGB faces (B, 3, 96, 96) in -1..0.992; scores 0..1.

    `multiplier` scales all channels: 1, 0.5 and 0.25 are published (dm100, dm050, dm025). What it returns as embedding
    is the pooled last map: the network was trained by distillation and has no identity of its own.
    """

    def __init__(self, multiplier: float = 1.0) -> None:
        super().__init__()
        if not 0 < multiplier <= 1:
            raise ValueError(f"multiplier must lie in 0..1, not {multiplier}")
        self.arguments = {"multiplier": multiplier}
        channels = rounded(STEM * multiplier)
        self.stem = ConvNorm(3, channels, 3)
        blocks = []
        for expansion, width, stride in ROWS:
            outputs = rounded(width * multiplier)
            blocks.append(InvertedResidual(channels, outputs, stride, expansion))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.embedding_dim = rounded(channels * FEATURES)
        self.last = ConvNorm(channels, self.embedding_dim, 1)
        self.score = nn.Linear(self.embedding_dim, 1)

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled features float32 (B, D) and scores float32 (B,) in 0..1 of faces (B, 3, 96, 96)."""
        features: Tensor = self.last(self.blocks(self.stem(x))).float().mean(dim=(2, 3))
        with torch.autocast(x.device.type, enabled=False):
            return features, self.score(features).sigmoid().squeeze(1)


def same_padding(length: int, side: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after `length` pixels of TensorFlow's SAME: an odd one stands after.

    >>> same_padding(96, 3, 2)
    (0, 1)
    """
    total = max((-(-length // stride) - 1) * stride + side - length, 0)
    return total // 2, total - total // 2


def rounded(channels: float) -> int:
    """Return the nearest multiple of 8 that is at least 8 and at least 0.9 times the channels (MobileNet)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
