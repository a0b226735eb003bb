"""A small IResNet for aligned 112 x 112 faces, sized for CPUs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from synfiqa.actors.nets.prelu import QuickPReLU


class Block(nn.Module):
    """Residual block of two 3 x 3 convolutions; the stride is on the first, which is several times cheaper."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            QuickPReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        changed = stride != 1 or inputs != outputs
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if changed
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        result: Tensor = self.body(x) + self.shortcut(x)
        return result


class GlobalDepthwise(nn.Conv2d):
    """A depthwise convolution as large as its input, (B, C, 7, 7) to (B, C, 1, 1).

    A weighted sum in training on CPUs: torch's backward of the convolution was 6 % of a step of `SmallIResNet`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 7, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return each channel's sum of pixels times weights."""
        if x.device.type == "cpu" and torch.is_grad_enabled():
            return (x * self.weight[:, 0].to(x.dtype)).sum(dim=(2, 3), keepdim=True, dtype=torch.float32)
        return super().forward(x)


class SmallIResNet(nn.Module):
    """Four residual stages (28, 14, 7, 7 pixels) after a stride-2 stem, pooled by a global depthwise convolution.

    `widths` are the channels and `blocks` the residual blocks of each stage.
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Sequence[int] = (32, 64, 128, 192),
        blocks: Sequence[int] = (1, 2, 2, 1),
        embedding_dim: int = 128,
    ) -> None:
        super().__init__()
        if len(widths) != 4 or len(blocks) != 4:
            raise ValueError(f"four stages need four widths and four block counts, not {widths} and {blocks}")
        first = widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), QuickPReLU(first)
        )
        layers: list[nn.Module] = []
        channels = first
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for index in range(count):
                layers.append(Block(channels, width, 2 if index == 0 and stage < len(widths) - 1 else 1))
                channels = width
        self.stages = nn.Sequential(*layers, nn.BatchNorm2d(channels))
        self.pool = GlobalDepthwise(channels)
        self.pool_norm = nn.BatchNorm2d(channels)
        self.project = nn.Linear(channels, embedding_dim, bias=False)
        self.norm = nn.BatchNorm1d(embedding_dim)
        # oneDNN corrupts the heap in the backward of a channels_last stem with fewer than 16 outputs (torch 2.15).
        self.memory_format = torch.channels_last if first >= 16 else torch.contiguous_format
        self.to(memory_format=self.memory_format)

    def feature_map(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, 112, 112) to (B, widths[-1], 7, 7)."""
        features: Tensor = self.stages(self.stem(x.contiguous(memory_format=self.memory_format)))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, 112, 112) to un-normalised embeddings (B, embedding_dim)."""
        pooled = self.pool_norm(self.pool(self.feature_map(x))).flatten(1)
        embedding: Tensor = self.norm(self.project(pooled))
        return embedding
