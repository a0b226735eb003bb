"""Gaussian noise as a pure function of seed, draw and place: Philox 4x32-10 in torch, where the images are.

Generators on a CPU are too slow for a GPU: numpy takes 5 ms and more for the noise of one 256 x 256 image, of which
ancestral sampling needs 100. Numbers of torch's generator on a GPU depend on the GPU's size.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
_FACTORS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_BITS = 24
"""Bits of a word that become a uniform number, as many as a float32 holds."""


def philox(counter: Sequence[Tensor], key: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return four words for a counter of four and a key of two: int64 tensors that broadcast, values in 0..2**32-1."""
    a, b, c, d = counter
    k, l = key  # noqa: E741
    for number in range(_ROUNDS):
        if number:
            k, l = (k + _WEYL[0]) & _WORD, (l + _WEYL[1]) & _WORD  # noqa: E741
        # A product may overflow into the sign; its bits are right, and the masks keep only bits.
        first, second = a * _FACTORS[0], c * _FACTORS[1]
        a, b, c, d = (second >> 32 & _WORD) ^ b ^ k, second & _WORD, (first >> 32 & _WORD) ^ d ^ l, first & _WORD
    return a, b, c, d


def gaussian_noise(seeds: Tensor, draw: Tensor | int, shape: Sequence[int]) -> Tensor:
    """Return float32 (N, *shape) of mean 0 and deviation 1 for int64 seeds (N,), on their device.

    Each image's numbers depend on its seed and on the number of the draw (below 2**32) alone. Between a CPU and a GPU
    they differ by rounding. None is larger than 5.9.
    """
    count = math.prod(shape)
    place = torch.arange((count + 3) // 4, device=seeds.device)[None]
    zero = torch.zeros_like(place)
    key = (seeds[:, None] & _WORD, seeds[:, None] >> 32 & _WORD)
    a, b, c, d = (_uniform(word) for word in philox((place, zero, zero + draw, zero), key))
    near, far = (-2 * a.log()).sqrt(), (-2 * c.log()).sqrt()
    turn, other = 2 * math.pi * b, 2 * math.pi * d
    normal = torch.cat([near * turn.cos(), near * turn.sin(), far * other.cos(), far * other.sin()], dim=1)
    return normal[:, :count].reshape(len(seeds), *shape)


def _uniform(word: Tensor) -> Tensor:
    """Return float32 in (0, 1] of a word's upper bits."""
    return ((word >> (32 - _BITS)).float() + 0.5) * 2.0**-_BITS
