"""A CLIP of open_clip's classes small enough to bundle, and the word tokenizer that its text tower reads."""

import re
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch import Tensor

PAD, UNKNOWN, START = 0, 1, 2
RESERVED = 3


class WordTokenizer:
    """Maps captions to word ids. The end token has the highest id: open_clip pools text at the argmax of ids."""

    def __init__(self, words: Sequence[str], context_length: int = 60) -> None:
        self.ids = {word: RESERVED + index for index, word in enumerate(words)}
        if len(self.ids) != len(words):
            raise ValueError("the vocabulary of a tokenizer must not repeat a word")
        self.end = RESERVED + len(words)
        self.vocab_size = self.end + 1
        self.context_length = context_length

    def __call__(self, captions: Sequence[str]) -> Tensor:
        """Return int64 ids (N, context_length): start, words (unknown ones share an id), end, padding.

        Captions too long for the context lose their last words, never the end token.
        """
        tokens = torch.full((len(captions), self.context_length), PAD, dtype=torch.int64)
        for row, text in enumerate(captions):
            words = re.findall(r"[a-z]+", text.lower())[: self.context_length - 2]
            ids = [START, *(self.ids.get(word, UNKNOWN) for word in words), self.end]
            tokens[row, : len(ids)] = torch.tensor(ids)
        return tokens


def small_clip(
    vocab_size: int,
    context_length: int = 60,
    embed_dim: int = 96,
    image_size: int = 64,
    patch_size: int = 8,
    vision_width: int = 128,
    vision_layers: int = 4,
    text_width: int = 96,
    text_layers: int = 2,
    mlp_ratio: float = 2.0,
) -> CLIP:
    """Return an untrained CLIP with a ViT image tower and a causal transformer over words."""
    vision = CLIPVisionCfg(
        layers=vision_layers,
        width=vision_width,
        head_width=32,
        mlp_ratio=mlp_ratio,
        patch_size=patch_size,
        image_size=image_size,
    )
    text = CLIPTextCfg(
        context_length=context_length,
        vocab_size=vocab_size,
        width=text_width,
        heads=4,
        layers=text_layers,
        mlp_ratio=mlp_ratio,
    )
    return CLIP(embed_dim, vision, text)


def clip_input(images: np.ndarray, size: int) -> Tensor:
    """Turn uint8 RGB (N, H, W, 3) into float32 (N, 3, size, size), area-resized, with CLIP's mean and deviation."""
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"expected uint8 RGB images (N, H, W, 3), not {images.dtype} {images.shape}")
    resized = np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])
    pixels = torch.from_numpy(resized).float().div_(255).permute(0, 3, 1, 2)
    mean = torch.tensor(OPENAI_DATASET_MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor(OPENAI_DATASET_STD).view(1, 3, 1, 1)
    return ((pixels - mean) / deviation).contiguous()
