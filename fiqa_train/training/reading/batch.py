"""One rank's share of a batch, and the memory it is built in."""

from dataclasses import dataclass

import torch
from torch import Tensor

from synfiqa.fiqa_train.training.reading.decode import Channels


@dataclass(frozen=True)
class Batch:
    """Faces of one rank in one optimiser step.

    `images` are augmented float32 pixels in 0..255: luma (B, 112, 112), or RGB (B, 3, 112, 112). `quality` is float32
    (B,), NaN where the source has no label; `classes` is int64 (B,), -1 where the identity is unknown.
    """

    images: Tensor
    quality: Tensor
    classes: Tensor

    def inputs(self, rows: slice, device: torch.device) -> tuple[Tensor, ...]:
        """Return what an objective takes of some rows, on the device."""
        return tuple(part[rows].to(device, non_blocking=True) for part in (self.images, self.quality, self.classes))


def empty_batch(rows: int, channels: Channels, *, pinned: bool) -> Batch:
    """Return a batch whose values are not set yet, in pinned memory where that is wanted and CUDA is there."""
    pinned = pinned and torch.cuda.is_available()
    shape = (rows, 112, 112) if channels == "gray" else (rows, 3, 112, 112)
    return Batch(
        torch.empty(shape, pin_memory=pinned),
        torch.empty(rows, pin_memory=pinned),
        torch.empty(rows, dtype=torch.int64, pin_memory=pinned),
    )
