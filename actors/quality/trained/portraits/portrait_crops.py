"""Square crops of a portrait at test time: tiles that cover it, or the published random places."""

from collections.abc import Sequence

import numpy as np

from synfiqa.schemas.seeds import derive_seed, generator

PUBLISHED = 20
"""Random crops of the published test."""
TILED = 0
"""Number of crops that stands for tiles."""


def tiled_places(height: int, width: int, side: int) -> list[tuple[int, int]]:
    """Return (top, left) of the fewest evenly spaced tiles that cover an image, row by row."""
    tops, lefts = (
        np.linspace(0, size - side, -(-size // side)).round().astype(int).tolist() for size in (height, width)
    )
    return [(top, left) for top in tops for left in lefts]


def random_places(height: int, width: int, side: int, count: int) -> list[tuple[int, int]]:
    """Return so many (top, left), drawn from the size of the image alone: equal sizes have equal places."""
    rng = generator(derive_seed(0, "test crops", height, width, side))
    tops, lefts = (rng.integers(0, size - side + 1, count).tolist() for size in (height, width))
    return list(zip(tops, lefts, strict=True))


def crops_of(
    image: np.ndarray, landmarks: np.ndarray, side: int, count: int = TILED
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the crops uint8 (side, side, 3) of a portrait and the landmarks (68, 2) in each; ValueError if too small.

    `count` is the number of random crops, 0 for tiles.
    """
    height, width = image.shape[:2]
    if min(height, width) < side:
        raise ValueError(f"a portrait has at least {side} x {side} pixels, not {width} x {height}")
    places: Sequence[tuple[int, int]] = (
        tiled_places(height, width, side) if count == TILED else random_places(height, width, side, count)
    )
    crops = [image[top : top + side, left : left + side] for top, left in places]
    return crops, [np.asarray(landmarks, np.float32) - np.array([left, top], np.float32) for top, left in places]
