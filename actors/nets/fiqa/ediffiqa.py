"""eDifFIQA (Babnik et al., 2024): a recognition trunk and a small MLP, under the published tensor names."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.insightface import EMBEDDING_DIM, WIDTHS, IResNet
from synfiqa.actors.nets.prelu import QuickPReLU

Trunk = Literal["iresnet", "mobilefacenet"]
"""`iresnet`: S, M and L (depth 18, 50 and 100); `mobilefacenet`: T."""
HIDDEN = 1024
"""Width of the hidden layer of the quality head."""
STEM, LAST = 64, 512
"""Channels of MobileFaceNet's first two convolutions, and of the map that its global convolution pools."""
STAGES = (
    ("conv_23", 64, 128, 2, 0),
    ("conv_3", 64, 128, 1, 4),
    ("conv_34", 128, 256, 2, 0),
    ("conv_4", 128, 256, 1, 6),
    ("conv_45", 128, 512, 2, 0),
    ("conv_5", 128, 256, 1, 2),
)
"""Published name, output channels, hidden channels, stride and residual blocks (0: one block without residual)."""


class ConvNorm(nn.Module):
    """A convolution, its batch normalisation, and PReLU where `active`."""

    def __init__(
        self, inputs: int, outputs: int, side: int = 1, stride: int = 1, groups: int = 1, *, active: bool = True
    ) -> None:
        super().__init__()
        padding = 0 if side == 7 else side // 2
        self.conv = nn.Conv2d(inputs, outputs, side, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = QuickPReLU(outputs) if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride); side 7 pools 7 x 7 pixels to one."""
        result: Tensor = self.prelu(self.bn(self.conv(x)))
        return result


class Bottleneck(nn.Module):
    """Expands by a 1 x 1 convolution, filters by a depthwise 3 x 3 one, and projects linearly."""

    def __init__(self, inputs: int, outputs: int, hidden: int, stride: int) -> None:
        super().__init__()
        self.conv = ConvNorm(inputs, hidden)
        self.conv_dw = ConvNorm(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        result: Tensor = self.project(self.conv_dw(self.conv(x)))
        return result


class Residuals(nn.Module):
    """A sequence of bottlenecks, each added to its input."""

    def __init__(self, channels: int, hidden: int, count: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(Bottleneck(channels, channels, hidden, 1) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        for block in self.model:
            x = x + block(x)
        return x


class PublishedMobileFaceNet(nn.Module):
    """MobileFaceNet under the names that eDifFIQA and TFace publish, for RGB faces (B, 3, 112, 112) in -1..1.

    The network is that of `MobileFaceNet` but for its names. Embeddings are unit vectors.
    """

    def __init__(self, embedding_dim: int = EMBEDDING_DIM) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, STEM, 3, 2)
        self.conv2_dw = ConvNorm(STEM, STEM, 3, groups=STEM)
        channels = STEM
        for name, outputs, hidden, stride, residuals in STAGES:
            stage = (
                Residuals(outputs, hidden, residuals) if residuals else Bottleneck(channels, outputs, hidden, stride)
            )
            self.add_module(name, stage)
            channels = outputs
        self.conv_6_sep = ConvNorm(channels, LAST)
        self.conv_6_dw = ConvNorm(LAST, LAST, 7, groups=LAST, active=False)
        self.linear = nn.Linear(LAST, embedding_dim, bias=False)
        self.bn = nn.BatchNorm1d(embedding_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return unit vectors (B, embedding_dim)."""
        x = self.conv2_dw(self.conv1(x))
        for name, *_ in STAGES:
            x = self.get_submodule(name)(x)
        pooled = self.conv_6_dw(self.conv_6_sep(x)).flatten(1)
        return functional.normalize(self.bn(self.linear(pooled)))


class QualityMlp(nn.Module):
    """Two Linear layers with GELU between them."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.l1 = nn.Linear(inputs, hidden)
        self.l2 = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, 1)."""
        result: Tensor = self.l2(functional.gelu(self.l1(x)))
        return result


class EDifFiqa(FiqaNetwork):
    """eDifFIQA(T, S, M, L) for RGB faces (B, 3, 112, 112) in -1..1: `base_model` embeds, `mlp` scores the embedding.

    The head reads the un-normalised embedding of an IResNet, the unit vector of MobileFaceNet. `layers`, `widths`,
    `embedding_dim` and `hidden` make a network smaller than the published ones.
    """

    def __init__(
        self,
        trunk: Trunk = "iresnet",
        depth: int = 50,
        layers: Sequence[int] | None = None,
        widths: Sequence[int] = WIDTHS,
        embedding_dim: int = EMBEDDING_DIM,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        if trunk not in ("iresnet", "mobilefacenet"):
            raise ValueError(f"trunk must be iresnet or mobilefacenet, not {trunk}")
        size = {"depth": depth, "layers": layers and list(layers), "widths": list(widths)} if trunk == "iresnet" else {}
        self.arguments = {"trunk": trunk, **size, "embedding_dim": embedding_dim, "hidden": hidden}
        self.embedding_dim = embedding_dim
        self.base_model: nn.Module = (
            IResNet(depth, layers, widths=widths, embedding_dim=embedding_dim)
            if trunk == "iresnet"
            else PublishedMobileFaceNet(embedding_dim)
        )
        self.mlp = QualityMlp(embedding_dim, hidden)

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings float32 (B, D) and scores float32 (B,) of faces (B, 3, 112, 112) in -1..1."""
        embedding = self.base_model(x).float()
        with torch.autocast(x.device.type, enabled=False):
            return embedding, self.mlp(embedding).squeeze(1)
