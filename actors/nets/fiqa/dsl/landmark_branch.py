"""Landmark branch of DSL-FIQA: which landmarks lie in the crop, or where they lie, becomes one value a token."""

from typing import Literal

import torch
from torch import Tensor, nn

LANDMARKS = 68
"""Landmarks of a face in the order of iBUG 300-W."""
INDEX_ENTRIES = 500
"""Entries to which the published encoding is padded, with LANDMARKS + 1."""

EDGE = 1e-6
"""Added to the spread of a row, as published."""

Encoding = Literal["indices", "positions"]
"""Published: the numbers of the landmarks inside the crop. Improved: their coordinates, and which are inside."""


def inside_crop(landmarks: Tensor, side: int) -> Tensor:
    """Return which landmarks (B, L, 2), x and y in pixels of the crop, lie inside it, bool (B, L)."""
    return ((landmarks >= 0) & (landmarks <= side)).all(dim=-1)


def index_code(landmarks: Tensor, side: int) -> Tensor:
    """Return the published encoding (B, 500) in -1..1: numbers 0.. of the landmarks inside, in order, then padding.

    The row is scaled so that its smallest number becomes -1 and its largest, the padding, 1. A crop without landmarks
    is a row of -1.
    """
    count = landmarks.shape[1]
    there = inside_crop(landmarks, side)
    numbers = torch.arange(count, device=landmarks.device, dtype=landmarks.dtype).expand(len(there), -1)
    padding = float(count + 1)
    ordered = torch.where(there, numbers, torch.full_like(numbers, padding)).sort(dim=1).values
    row = torch.full((len(there), INDEX_ENTRIES), padding, device=landmarks.device, dtype=landmarks.dtype)
    row[:, :count] = ordered
    low = row.min(dim=1, keepdim=True).values
    return 2 * (row - low) / (padding - low + EDGE) - 1


def position_code(landmarks: Tensor, side: int) -> Tensor:
    """Return coordinates in -1..1 over the crop, 0 where a landmark lies outside, then which are inside: (B, 3 L)."""
    there = inside_crop(landmarks, side)
    scaled = (2 * (landmarks + 0.5) / side - 1) * there[..., None]
    return torch.cat([scaled.flatten(1), there.to(scaled.dtype)], dim=1)


def fourier(code: Tensor, bands: int) -> Tensor:
    """Return the code (B, N) and sine and cosine of it at 2^0 .. 2^(bands - 1): (B, N (1 + 2 bands))."""
    parts = [code]
    for band in range(bands):
        parts += [torch.sin(code * 2.0**band), torch.cos(code * 2.0**band)]
    return torch.cat(parts, dim=1)


class LandmarkBranch(nn.Module):
    """Maps the landmarks of a crop to one value in 0..1 a token."""

    def __init__(self, encoding: Encoding, bands: int, hidden: int, tokens: int, dropout: float) -> None:
        super().__init__()
        if encoding not in ("indices", "positions"):
            raise ValueError(f"landmarks must be indices, positions or none, not {encoding}")
        entries = INDEX_ENTRIES if encoding == "indices" else 3 * LANDMARKS
        self._encoding, self._bands = encoding, bands
        size = entries * (1 + 2 * bands)
        self.embed_mlp = nn.Sequential(
            nn.Linear(size, hidden or size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden or size, tokens),
            nn.Sigmoid(),
        )

    def forward(self, landmarks: Tensor, side: int) -> Tensor:
        """Return (B, tokens) of landmarks (B, 68, 2), x and y in pixels of the crop of `side` pixels."""
        code = index_code(landmarks, side) if self._encoding == "indices" else position_code(landmarks, side)
        found: Tensor = self.embed_mlp(fourier(code, self._bands))
        return found
