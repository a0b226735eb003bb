"""Makes pseudo-identity candidates of seeds by any sampler: constant micro-batches, uint8 pixels, finite numbers."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.roles import Candidate

PixelMap = Literal["fixed", "stretched"]
"""Map of -1..1 to 0..255: one for all images, or from the darkest to the brightest value of each (as released)."""


def candidates(
    seeds: Sequence[int], micro_batch: int, sample: Callable[[list[int]], Tensor], pixels: PixelMap
) -> list[Candidate]:
    """Return a candidate per seed from `sample`, which maps `micro_batch` seeds to float images (M, 3, S, S) in -1..1.

    A short batch is filled up with its last seed. ValueError names the seeds whose pictures are not finite numbers.
    """
    made: list[Candidate] = []
    for start in range(0, len(seeds), micro_batch):
        chunk = [int(seed) for seed in seeds[start : start + micro_batch]]
        images = sample(chunk + chunk[-1:] * (micro_batch - len(chunk)))[: len(chunk)]
        finite = torch.isfinite(images).flatten(1).all(dim=1).tolist()
        if bad := [str(seed) for seed, whole in zip(chunk, finite, strict=True) if not whole]:
            raise ValueError(f"the pictures of these seeds are not finite numbers: {', '.join(bad)}")
        # An unconditional generator commands nothing: all attributes must be measured.
        made += [Candidate(image, {}) for image in to_pixels(images, pixels)]
    return made


def to_pixels(images: Tensor, pixels: PixelMap) -> np.ndarray:
    """Return uint8 RGB (N, H, W, 3) of float images (N, 3, H, W), rounded to the nearest."""
    images = images.float()
    if pixels == "stretched":
        low, high = images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
        unit = (images - low) / (high - low).clamp(min=1e-5)
    else:
        unit = (images.clamp(-1, 1) + 1) / 2
    levels = (unit * 255 + 0.5).clamp(0, 255).byte()
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
