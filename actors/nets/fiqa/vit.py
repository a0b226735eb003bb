"""The quality network of ViT-FIQA: a vision transformer with a quality token, under the published tensor names."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.nets.fiqa.contract import FiqaNetwork

EPS = 2e-5
"""Of the batch normalisations of embedding and score."""
INIT_STD = 0.02
SIDE = 112

Pooling = Literal["all", "mean"]
"""Input of the embedding layer: all patch tokens in a row (published), or their mean (for small networks)."""


class Attention(nn.Module):
    """Multi-head self-attention without bias of queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, width) to the same shape."""
        count, tokens, width = x.shape
        q, k, v = (
            self.qkv(x).reshape(count, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        )
        attended = functional.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.proj(attended.transpose(1, 2).reshape(count, tokens, width))
        return mixed


class Mlp(nn.Module):
    """Two Linear layers with ReLU6 between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, width) to the same shape."""
        result: Tensor = self.fc2(functional.relu6(self.fc1(x)))
        return result


class Block(nn.Module):
    """Attention and MLP, each after a layer normalisation and added to its input.

    In training each addition is left out for whole faces at the rate `drop_path` (stochastic depth).
    """

    def __init__(self, width: int, heads: int, hidden: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)
        self._drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, width) to the same shape."""
        x = x + self._dropped(self.attn(self.norm1(x)))
        return x + self._dropped(self.mlp(self.norm2(x)))

    def _dropped(self, change: Tensor) -> Tensor:
        if not self.training or not self._drop_path:
            return change
        kept = torch.rand(len(change), 1, 1, device=change.device) >= self._drop_path
        return change * kept / (1 - self._drop_path)


class PatchEmbed(nn.Module):
    """Cuts faces into square patches without overlap and maps each linearly to a token."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, 112, 112) to tokens (B, (112 // patch)^2, width), row by row."""
        tokens: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return tokens


class FiqaViT(FiqaNetwork):
    """ViT-S with a quality token for RGB faces (B, 3, 112, 112) in -1..1 (ViT-FIQA, mode `token`).

    The quality token is the first. After the last layer normalisation, BatchNorm1d and a Linear layer without bias
    (`head_qs`) map it to the score; the embedding comes from the patch tokens by two Linear layers with BatchNorm1d
    (`feature`). Of the published training, stochastic depth is here, rising from 0 to `drop_path` over the blocks; the
    masking of random tokens is not. ValueError where 112 // patch is 0 or heads do not divide the width.
    """

    def __init__(
        self,
        patch: int = 8,
        width: int = 512,
        depth: int = 12,
        heads: int = 8,
        mlp_ratio: float = 4,
        embedding_dim: int = 512,
        pooling: Pooling = "all",
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        if width % heads or not 1 <= patch <= SIDE:
            raise ValueError(f"width {width} needs heads that divide it, not {heads}, and patch 1..{SIDE}, not {patch}")
        if pooling not in ("all", "mean"):
            raise ValueError(f"pooling must be all or mean, not {pooling}")
        self.arguments = {
            "patch": patch,
            "width": width,
            "depth": depth,
            "heads": heads,
            "mlp_ratio": mlp_ratio,
            "embedding_dim": embedding_dim,
            "pooling": pooling,
            "drop_path": drop_path,
        }
        self.embedding_dim = embedding_dim
        self._mean = pooling == "mean"
        patches = (SIDE // patch) ** 2
        self.qs_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches + 1, width))
        self.patch_embed = PatchEmbed(patch, width)
        rates = [drop_path * index / max(1, depth - 1) for index in range(depth)]
        self.blocks = nn.ModuleList([Block(width, heads, int(width * mlp_ratio), rate) for rate in rates])
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(width if self._mean else patches * width, embedding_dim, bias=False),
            nn.BatchNorm1d(embedding_dim, eps=EPS),
            nn.Linear(embedding_dim, embedding_dim, bias=False),
            nn.BatchNorm1d(embedding_dim, eps=EPS),
        )
        self.head_qs = nn.Sequential(nn.BatchNorm1d(width, eps=EPS), nn.Linear(width, 1, bias=False))
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.qs_token, std=1e-6)
        nn.init.trunc_normal_(self.pos_embed, std=INIT_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INIT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores float32 (B,) of RGB faces (B, 3, 112, 112) in -1..1."""
        tokens = self._tokens(x)
        with torch.autocast(x.device.type, enabled=False):
            scores: Tensor = self.head_qs(tokens[:, 0]).squeeze(1)
            return scores

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) and scores float32 (B,) of faces (B, 3, 112, 112) in -1..1."""
        tokens = self._tokens(x)
        with torch.autocast(x.device.type, enabled=False):
            patches = tokens[:, 1:]
            read = patches.mean(dim=1) if self._mean else patches.flatten(1)
            return self.feature(read), self.head_qs(tokens[:, 0]).squeeze(1)

    def input_tokens(self, x: Tensor) -> Tensor:
        """Return what the first block reads: tokens (B, 1 + patches, width) with positions, the quality token first."""
        patches = self.patch_embed(x)
        # The length by shape, since a traced graph would keep len() as a constant.
        tokens: Tensor = torch.cat([self.qs_token.expand(patches.shape[0], -1, -1), patches], dim=1) + self.pos_embed
        return tokens

    def _tokens(self, x: Tensor) -> Tensor:
        """Return normalised tokens float32 (B, 1 + patches, width), the quality token first."""
        tokens = self.input_tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        normalised: Tensor = self.norm(tokens.float())
        return normalised.float()
