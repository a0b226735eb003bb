"""The unconditional pixel-diffusion U-Net of ADM under the tensor names of its published checkpoints (FFHQ-256).

Convolutions and attention run in the precision that `to_precision` sets; group norms with what follows them up to the
next convolution, time embedding and result are always float32.
"""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32
"""Groups of every group norm; all widths are multiples of it."""
MAX_PERIOD = 10_000.0
"""Period of the slowest sinusoid of the time embedding, in steps."""


def time_features(steps: Tensor, width: int) -> Tensor:
    """Return float32 (N, width) of steps (N,): cosines of falling frequencies, then their sines."""
    half = width // 2
    frequencies = torch.exp(-math.log(MAX_PERIOD) / half * torch.arange(half, device=steps.device, dtype=torch.float32))
    angles = steps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    """Return float32 group norm of x."""
    result: Tensor = norm(x.float())
    return result


class ResBlock(nn.Module):
    """Two normed 3 x 3 convolutions, time by scale and shift on the second norm; `resample` halves or doubles first."""

    def __init__(self, inputs: int, outputs: int, time_width: int, resample: str = "") -> None:
        super().__init__()
        self.resample = resample
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_width, 2 * outputs))
        self.out_layers = nn.Sequential(
            # The third layer was dropout, which has no tensors and is inactive in inference.
            *(nn.GroupNorm(GROUPS, outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1))
        )
        self.skip_connection = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (N, inputs, H, W) and float32 time embeddings (N, time_width) to (N, outputs, H', W')."""
        h = functional.silu(_norm(self.in_layers[0], x)).to(x.dtype)
        h = self.in_layers[2](self._resampled(h))
        scale, shift = self.emb_layers(time)[:, :, None, None].chunk(2, dim=1)
        h = _norm(self.out_layers[0], h) * (1 + scale) + shift
        h = self.out_layers[3](functional.silu(h).to(x.dtype))
        result: Tensor = self.skip_connection(self._resampled(x)) + h
        return result

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resample == "down":
            return functional.avg_pool2d(x, 2)
        return functional.interpolate(x, scale_factor=2.0, mode="nearest") if self.resample == "up" else x


class AttentionBlock(nn.Module):
    """Self-attention over all places of the map; a head's query, key and value lie side by side ("legacy" order)."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        count, channels, height, width = x.shape
        flat = x.flatten(2)
        qkv = self.qkv(_norm(self.norm, flat).to(x.dtype))
        # It scales by the root of the width; ADM scales query and key by the fourth root each, which is equal.
        query, key, value = qkv.view(count, self.heads, -1, height * width).transpose(2, 3).chunk(3, dim=3)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(2, 3).reshape(count, channels, height * width)
        result: Tensor = (flat + self.proj_out(mixed)).view(count, channels, height, width)
        return result


class TimedLayers(nn.ModuleList):
    """Layers in sequence; residual blocks also take the time embedding."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (N, C, H, W) and time embeddings to the last layer's output."""
        for layer in self:
            x = layer(x, time) if isinstance(layer, ResBlock) else layer(x)
        return x


class AdmUNet(nn.Module):
    """Noise prediction for images (N, 3, S, S) in -1..1; the defaults are the published FFHQ-256 network.

    `multipliers` times `base` are the widths of the levels, each at half the side of the one before. Maps of a side
    in `attention_at` have attention, and so has the middle.
    """

    def __init__(
        self,
        image_size: int = 256,
        base: int = 128,
        multipliers: Sequence[int] = (1, 1, 2, 2, 4, 4),
        res_blocks: int = 1,
        attention_at: Sequence[int] = (16,),
        head_channels: int = 64,
    ) -> None:
        super().__init__()
        self._check(image_size, base, multipliers, res_blocks, attention_at, head_channels)
        self.image_size, self.base = image_size, base
        time_width = 4 * base
        self.time_embed = nn.Sequential(nn.Linear(base, time_width), nn.SiLU(), nn.Linear(time_width, time_width))
        widths = [base * multiplier for multiplier in multipliers]
        sides = [image_size >> level for level in range(len(widths))]

        def stage(inputs: int, outputs: int, side: int) -> list[nn.Module]:
            attention = [AttentionBlock(outputs, head_channels)] if side in attention_at else []
            return [ResBlock(inputs, outputs, time_width), *attention]

        first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.input_blocks = nn.ModuleList([TimedLayers([first])])
        skips, channels = [widths[0]], widths[0]
        for level, (width, side) in enumerate(zip(widths, sides, strict=True)):
            for _ in range(res_blocks):
                self.input_blocks.append(TimedLayers(stage(channels, width, side)))
                skips.append(channels := width)
            if level < len(widths) - 1:
                self.input_blocks.append(TimedLayers([ResBlock(width, width, time_width, "down")]))
                skips.append(width)
        middle = ResBlock(channels, channels, time_width), ResBlock(channels, channels, time_width)
        self.middle_block = TimedLayers([middle[0], AttentionBlock(channels, head_channels), middle[1]])
        self.output_blocks = nn.ModuleList()
        for level, (width, side) in reversed([*enumerate(zip(widths, sides, strict=True))]):
            for number in range(res_blocks + 1):
                layers = stage(channels + skips.pop(), width, side)
                if level and number == res_blocks:
                    layers.append(ResBlock(width, width, time_width, "up"))
                self.output_blocks.append(TimedLayers(layers))
                channels = width
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, 6, 3, padding=1))

    def to_precision(self, dtype: torch.dtype) -> Self:
        """Set the type of the convolutions, and with it of the maps between them; all other weights stay float32."""
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d):
                module.to(dtype=dtype)
        return self

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        """Map noisy images and steps (N,) of the training chain to float32 (N, 6, S, S): noise, then variance."""
        time = self.time_embed(time_features(steps, self.base))
        h = x.to(self.out[2].get_parameter("weight").dtype)
        skips = []
        for block in self.input_blocks:
            h = block(h, time)
            skips.append(h)
        h = self.middle_block(h, time)
        for block in self.output_blocks:
            h = block(torch.cat([h, skips.pop()], dim=1), time)
        h = functional.silu(_norm(self.out[0], h)).to(h.dtype)
        result: Tensor = self.out[2](h).float()
        return result

    @staticmethod
    def _check(
        image_size: int,
        base: int,
        multipliers: Sequence[int],
        res_blocks: int,
        attention_at: Sequence[int],
        head_channels: int,
    ) -> None:
        levels = len(multipliers)
        if not levels or min(multipliers) < 1 or res_blocks < 1:
            raise ValueError("multipliers must be one or more numbers of at least 1, and res_blocks at least 1")
        if base < 1 or base % GROUPS:
            raise ValueError(f"base must be a multiple of {GROUPS}, not {base}")
        if image_size < 1 or image_size % (1 << (levels - 1)):
            raise ValueError(f"image_size must be a multiple of {1 << (levels - 1)} for {levels} levels")
        sides = {image_size >> level: base * width for level, width in enumerate(multipliers)}
        if stray := [side for side in attention_at if side not in sides]:
            raise ValueError(f"attention_at {stray} is no side of a level: choose from {', '.join(map(str, sides))}")
        attended = [*(sides[side] for side in attention_at), base * multipliers[-1]]
        if head_channels < 1 or any(width % head_channels for width in attended):
            raise ValueError(f"head_channels {head_channels} does not divide the widths with attention, {attended}")
