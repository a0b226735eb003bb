"""Losses that teach the degradation encoder: dual sets with soft proximity mapping (2406.09622), and InfoNCE."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Similarity = Literal["squared_l2", "cosine"]


def similarities(a: Tensor, b: Tensor, kind: Similarity) -> Tensor:
    """Return the similarity (A, B) of representations (A, D) and (B, D): minus squared distance a value, or cosine.

    The squared distance is divided by D, so that temperatures mean the same for short and long representations.
    """
    if kind == "cosine":
        return functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T
    squared = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)[None] - 2 * a @ b.T
    return -squared.clamp_min(0) / a.shape[1]


def soft_proximity(own: Tensor, other: Tensor, temperature: float, kind: Similarity) -> Tensor:
    """Return the projection (A, D) of each representation on the other set: its mean weighted by softmax similarity."""
    return torch.softmax(similarities(own, other, kind) / temperature, dim=1) @ other


def one_way_loss(own: Tensor, other: Tensor, temperature: float, kind: Similarity) -> Tensor:
    """Return the mean cross-entropy of each representation choosing its own projection among those of its set."""
    projected = soft_proximity(own, other, temperature, kind)
    logits = similarities(own, projected, kind) / temperature
    return functional.cross_entropy(logits, torch.arange(len(own), device=own.device))


def dual_set_loss(
    degraded: Tensor, others: Tensor, queue: Tensor, temperature: float, kind: Similarity = "squared_l2"
) -> Tensor:
    """Return the loss of set S, one face under m operators (m, D), and set R, n other images (n, D), both ways.

    S differs in degradation alone, R in content too: a projection on R can follow what they share, which is
    degradation. `queue` (Q, D) holds representations of earlier images of R and enlarges R as a target of S; the paper
    states its length and not its use.
    """
    return one_way_loss(degraded, torch.cat([others, queue]), temperature, kind) + one_way_loss(
        others, degraded, temperature, kind
    )


def info_nce(first: Tensor, second: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Return InfoNCE of pairs (P, D), two crops of one degraded image each, against the queue (Q, D).

    Representations are compared by cosine. The released code takes the first pair of a batch alone, this function all.
    """
    first, second, queue = (functional.normalize(part, dim=1) for part in (first, second, queue))
    positive = (first * second).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, first @ queue.T], dim=1) / temperature
    return functional.cross_entropy(logits, torch.zeros(len(first), dtype=torch.long, device=first.device))


class RepresentationQueue(nn.Module):
    """The newest representations (at most `size`), oldest first out; part of a stored state."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(size, dim))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))
        self.kept: Tensor
        self.filled: Tensor

    def entries(self) -> Tensor:
        """Return the representations (Q, D), fewer than `size` until so many were added."""
        return self.kept[len(self.kept) - int(self.filled) :].clone()

    @torch.no_grad()
    def add(self, found: Tensor) -> None:
        """Append representations (N, D); the oldest leave."""
        if len(self.kept):
            added = found.detach()[-len(self.kept) :].to(self.kept.dtype)
            self.kept.copy_(torch.cat([self.kept, added])[-len(self.kept) :])
            self.filled.fill_(min(len(self.kept), int(self.filled) + len(added)))
