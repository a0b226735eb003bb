"""Converts uint8 RGB images to the input that a network's card declares: size, channel order, value range."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.imaging.gray import standardise_gray
from synfiqa.schemas.model_card import ModelCard

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of R, G, B in 0..1 (CLIP; also BLIP)."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of R, G, B in 0..1."""


def network_input(images: np.ndarray, card: ModelCard, device: torch.device | str = "cpu") -> Tensor:
    """Return float32 (N, C, S, S) for uint8 RGB (N, H, W, 3) as the card declares it; S is its input size.

    Resizing (only where sizes differ) is antialiased, in float32 or by Pillow as the card's `resized_by` says: with
    random weights they differ by 0.04 degrees in 6DRepNet360's angles and 5e-4 in BLIP's cosine. A result does not
    depend on the rest of the batch.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"{card.name} takes uint8 RGB images (N, H, W, 3), not {images.dtype} {images.shape}")
    if card.channels == "gray":
        return standardise_gray(images).to(device)
    if card.resized_by == "pillow" and images.shape[1:3] != (card.input_size, card.input_size):
        images = _resized_by_pillow(images, card)
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()
    if pixels.shape[2:] != (card.input_size, card.input_size):
        size = (card.input_size, card.input_size)
        pixels = functional.interpolate(pixels, size, mode=card.resize, antialias=True, align_corners=False)
        pixels = pixels.clamp(0, 255)
    return normalised(pixels, card)


def _resized_by_pillow(images: np.ndarray, card: ModelCard) -> np.ndarray:
    method = Image.Resampling.BICUBIC if card.resize == "bicubic" else Image.Resampling.BILINEAR
    size = (card.input_size, card.input_size)
    return np.stack([np.asarray(Image.fromarray(image).resize(size, method)) for image in images])


def normalised(pixels: Tensor, card: ModelCard) -> Tensor:
    """Return RGB pixels (N, 3, H, W) in 0..255 in the value range and channel order of the card."""
    if card.normalise == "range":
        assert card.value_range is not None, "the card's validator requires it"
        low, high = card.value_range
        result = pixels * ((high - low) / 255) + low
    else:
        mean, std = (CLIP_MEAN, CLIP_STD) if card.normalise == "clip" else (IMAGENET_MEAN, IMAGENET_STD)
        shape = (1, 3, 1, 1)
        centre = torch.tensor(mean, device=pixels.device).view(shape)
        spread = torch.tensor(std, device=pixels.device).view(shape)
        result = (pixels / 255 - centre) / spread
    return result.flip(1) if card.channels == "bgr" else result
