"""Attention between channels, and stages of shifted windows, of DSL-FIQA (both from MANIQA, 2204.08958)."""

from collections.abc import Sequence

import torch
from timm.models.swin_transformer import SwinTransformerBlock
from torch import Tensor, nn

LARGEST_DROP_PATH = 0.1
"""Stochastic depth of the last block of a stage; it rises from 0."""


class ChannelAttention(nn.Module):
    """Attention between the channels of a token map, whose features are the tokens (transposed attention).

    The published code transposes the result and reads it back row by row in the shape of the input, which permutes its
    values over channels and tokens; trained weights expect this order. With `permuted` false it keeps its place.
    """

    def __init__(self, tokens: int, dropout: float, *, permuted: bool = True) -> None:
        super().__init__()
        self.c_q, self.c_k, self.c_v = (nn.Linear(tokens, tokens) for _ in range(3))
        self.proj_drop = nn.Dropout(dropout)
        self._scale, self._permuted = tokens**-0.5, permuted

    def forward(self, x: Tensor) -> Tensor:
        """Map channels (B, C, tokens) to the same shape, added to the input."""
        weights = torch.softmax(self.c_q(x) @ self.c_k(x).transpose(1, 2) * self._scale, dim=-1)
        found = weights @ self.c_v(x)
        if self._permuted:
            found = found.transpose(1, 2).reshape(x.shape)
        added: Tensor = x + self.proj_drop(found)
        return added


class SwinLayer(nn.Module):
    """Blocks of window attention, every second one shifted by half a window, and a rectified 3 x 3 convolution."""

    def __init__(
        self, width: int, side: int, heads: int, window: int, hidden: int, drop_paths: Sequence[float]
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinTransformerBlock(
                width,
                (side, side),
                num_heads=heads,
                window_size=window,
                shift_size=window // 2 if index % 2 else 0,
                mlp_ratio=hidden / width,
                drop_path=rate,
            )
            for index, rate in enumerate(drop_paths)
        )
        self.conv = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, side, side) to the same shape."""
        x = x.permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x)
        return torch.relu(self.conv(x.permute(0, 3, 1, 2)))


class SwinStage(nn.Module):
    """Layers of window attention, each times `scale` and added to its input."""

    def __init__(
        self,
        width: int,
        side: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        hidden: int,
        scale: float,
        dropout: float,
    ) -> None:
        super().__init__()
        rates = torch.linspace(0, LARGEST_DROP_PATH, sum(depths), device="cpu").tolist()
        starts = [sum(depths[:layer]) for layer in range(len(depths))]
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            SwinLayer(width, side, number, window, hidden, rates[start : start + depth])
            for start, depth, number in zip(starts, depths, heads, strict=True)
        )
        self._scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, side, side) to the same shape."""
        x = self.dropout(x)
        for layer in self.layers:
            x = x + self._scale * layer(x)
        return x
