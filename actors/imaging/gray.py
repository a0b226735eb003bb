"""Standardised luma: one grey channel of mean 0 and standard deviation 1 per image."""

import numpy as np
import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of R, G and B."""


STD_FLOOR = 8.0
"""Lowest standard deviation (grey levels of 255) that an image is divided by: a flat image stays flat."""


def standardise_gray(images: np.ndarray) -> Tensor:
    """Turn uint8 RGB (N, H, W, 3) into float32 luma (N, 1, H, W) of mean 0 and std 1 per image.

    Colour is dropped because networks that use the colours of renders do not transfer to photographs.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != torch.uint8:
        raise ValueError(f"expected uint8 RGB images (N, H, W, 3), not {pixels.dtype} {tuple(pixels.shape)}")
    return standardise(pixels.float() @ torch.tensor(LUMA))


def standardise(gray: Tensor) -> Tensor:
    """Return grey images (N, H, W) in 0..255 as (N, 1, H, W) with mean 0 and std 1 (floored) per image."""
    centred = gray - gray.mean(dim=(1, 2), keepdim=True)
    spread = centred.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return (centred / spread.clamp_min(STD_FLOOR))[:, None]
