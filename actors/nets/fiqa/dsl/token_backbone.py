"""Vision transformers of timm whose middle blocks give the image tokens of DSL-FIQA."""

from collections.abc import Sequence
from functools import partial

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

TAPS = 4
"""Blocks whose tokens are joined: the last four of those that are computed."""
FINE_GAIN = 8.0
"""Gain of the difference from the mean of 3 x 3 pixels, which a convolutional stem reads beside the image: blur and
noise show in it, and it is small beside the image."""
NARROWEST = 32
"""Channels of a convolutional stem at least: blur and noise show at the first resolutions."""


class ConvStem(nn.Module):
    """Halves image and fine detail by strided 3 x 3 convolutions until a pixel is a token, for small data."""

    def __init__(self, img_size: int, patch_size: int, in_chans: int, embed_dim: int, **unused: object) -> None:
        super().__init__()
        steps = patch_size.bit_length() - 1
        if 2**steps != patch_size:
            raise ValueError(f"patch must be a power of 2 with a convolutional stem, not {patch_size}")
        layers: list[nn.Module] = []
        before = 2 * in_chans
        for step in range(steps):
            width = max(NARROWEST, embed_dim >> (steps - step - 1))
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.GELU()]
            before = width
        self.stages = nn.Sequential(*layers, nn.Conv2d(before, embed_dim, 1))
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (img_size // patch_size, img_size // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W) to tokens (B, H W / patch^2, embed_dim), row by row."""
        fine = FINE_GAIN * (x - functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
        tokens: Tensor = self.stages(torch.cat([x, fine], dim=1)).flatten(2).transpose(1, 2)
        return tokens


class TokenBackbone(nn.Module):
    """The blocks of a vision transformer up to the last one that is read; keys below `vit` are those of timm."""

    def __init__(
        self, side: int, patch: int, width: int, depth: int, heads: int, *, mlp_ratio: float, stem: bool
    ) -> None:
        super().__init__()
        self.vit = VisionTransformer(
            img_size=side,
            patch_size=patch,
            embed_dim=width,
            depth=depth,
            num_heads=heads,
            mlp_ratio=mlp_ratio,
            num_classes=0,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            embed_layer=ConvStem if stem else PatchEmbed,
        )
        # The last norm would follow the last block, which is read before it.
        self.vit.norm = nn.Identity()
        self._taps: Sequence[int] = range(depth - TAPS, depth)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (B, T, 4 x width) of images (B, 3, side, side), without the class token."""
        found = self.vit.forward_intermediates(
            x, indices=list(self._taps), output_fmt="NLC", intermediates_only=True, norm=False
        )
        assert isinstance(found, list), "intermediates alone are a list"
        return torch.cat(found, dim=2)
