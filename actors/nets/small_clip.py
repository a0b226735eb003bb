"""A CLIP of open_clip's classes small enough to bundle, and the word tokenizer of its text tower."""

import re
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch import Tensor

from synfiqa.actors.imaging.gray import LUMA, standardise
from synfiqa.actors.nets.small_iresnet import SmallIResNet

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


class FaceTower(SmallIResNet):
    """An image tower with a fourth input channel, the luma standardised per image.

    Detail of a dark face spans a few grey levels: without the fourth channel sharpness was misclassified for a tenth
    of the dark faces, and for one in thirty of the others.
    """

    _weight: Tensor
    _bias: Tensor

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], embed_dim: int) -> None:
        super().__init__(4, widths, blocks, embed_dim)
        # luma in grey levels of images normalised by CLIP's mean and deviation
        deviation, mean = torch.tensor(OPENAI_DATASET_STD), torch.tensor(OPENAI_DATASET_MEAN)
        luma = torch.tensor(LUMA)
        self.register_buffer("_weight", 255 * luma * deviation, persistent=False)
        self.register_buffer("_bias", 255 * (luma * mean).sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised RGB (B, 3, size, size) to un-normalised embeddings (B, embed_dim)."""
        # not a matrix product, which autocast would round to half precision
        gray = (x.float() * self._weight[:, None, None]).sum(dim=1) + self._bias
        return super().forward(torch.cat([x, standardise(gray).to(x.dtype)], dim=1))


def small_clip(
    vocab_size: int,
    context_length: int = 60,
    embed_dim: int = 96,
    image_size: int = 112,
    widths: Sequence[int] = (24, 48, 96, 160),
    blocks: Sequence[int] = (1, 1, 1, 1),
    text_width: int = 96,
    text_layers: int = 2,
    mlp_ratio: float = 2.0,
) -> CLIP:
    """Return an untrained open_clip CLIP: a small IResNet on RGB faces and a causal transformer over words.

    On some thousand faces convolutions learn blur, noise and compression in a third of the steps that a vision
    transformer of equal cost takes.
    """
    text = CLIPTextCfg(
        context_length=context_length,
        vocab_size=vocab_size,
        width=text_width,
        heads=4,
        layers=text_layers,
        mlp_ratio=mlp_ratio,
    )
    # the smallest image tower that open_clip builds, replaced below, because open_clip has no IResNet
    placeholder = CLIPVisionCfg(layers=1, width=32, head_width=32, patch_size=image_size, image_size=image_size)
    net = CLIP(embed_dim, placeholder, text)
    net.visual = FaceTower(widths, blocks, embed_dim)
    return net


def clip_input(images: np.ndarray, size: int) -> Tensor:
    """Turn uint8 RGB (N, H, W, 3) into float32 (N, 3, size, size), area-resized, with CLIP's mean and deviation."""
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"expected uint8 RGB images (N, H, W, 3), not {images.dtype} {images.shape}")
    resized = np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])
    pixels = torch.from_numpy(resized).float().div_(255).permute(0, 3, 1, 2)
    mean = torch.tensor(OPENAI_DATASET_MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor(OPENAI_DATASET_STD).view(1, 3, 1, 1)
    return ((pixels - mean) / deviation).contiguous()
