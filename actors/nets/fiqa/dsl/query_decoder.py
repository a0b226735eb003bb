"""Decoder of DSL-FIQA: image tokens are read by queries, which are the degradation tokens."""

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6
INIT_STD = 0.02


class QueryAttention(nn.Module):
    """Multi-head attention whose queries come from other tokens than keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Return (B, T, width) of image tokens x (B, T, width) and queries (B, Q, width).

        Queries are repeated to T along the token axis (nearest neighbour), after their projection.
        """
        key, value = self._split(self.kv(x)).chunk(2, dim=-1)
        query = self._resized(self.q(queries), x.shape[1])
        found = functional.scaled_dot_product_attention(self._split(query), key, value)
        mixed: Tensor = self.proj(found.transpose(1, 2).flatten(2))
        return mixed

    def _split(self, x: Tensor) -> Tensor:
        """Return (B, heads, T, ...) of (B, T, n x width); keys stand before values, each of them by heads."""
        count, tokens, width = x.shape
        parts = width // self.q.out_features
        whole = x.reshape(count, tokens, parts, self._heads, -1).permute(0, 3, 1, 2, 4)
        return whole.flatten(3)

    @staticmethod
    def _resized(x: Tensor, tokens: int) -> Tensor:
        if x.shape[1] == tokens:
            return x
        return functional.interpolate(x.transpose(1, 2), size=tokens).transpose(1, 2)


class DepthwiseConv(nn.Module):
    """Depthwise 3 x 3 convolution of tokens on their square grid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, 1, 1, groups=width)

    def forward(self, x: Tensor, side: int) -> Tensor:
        """Map tokens (B, side x side, width) to the same shape."""
        mixed: Tensor = self.dwconv(x.transpose(1, 2).unflatten(2, (side, side)))
        return mixed.flatten(2).transpose(1, 2)


class ConvMlp(nn.Module):
    """Two Linear layers with a depthwise convolution and GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.dwconv = DepthwiseConv(hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor, side: int) -> Tensor:
        """Map tokens (B, side x side, width) to the same shape."""
        mixed: Tensor = self.fc2(functional.gelu(self.dwconv(self.fc1(x), side)))
        return mixed


class QueryBlock(nn.Module):
    """Attention by degradation queries and a convolutional MLP, each after a layer norm and added to its input."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = QueryAttention(width, heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = ConvMlp(width, int(width * mlp_ratio))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INIT_STD)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, queries: Tensor | None, side: int) -> Tensor:
        """Map image tokens (B, side x side, width) to the same shape; None: the image tokens are the queries."""
        normed = self.norm1(x)
        x = x + self.drop_path(self.attn(normed, normed if queries is None else queries))
        return torch.add(x, self.drop_path(self.mlp(self.norm2(x), side)))
