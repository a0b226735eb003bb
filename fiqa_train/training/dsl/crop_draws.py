"""Random square crops and mirror images of portraits, with their landmarks."""

import cv2
import numpy as np


def _mirrored_order() -> np.ndarray:
    """Return for each of the 68 points of the iBUG mark-up the point that its mirror image is."""
    order = np.arange(68)
    pairs = [
        *((index, 16 - index) for index in range(8)),
        *((17 + index, 26 - index) for index in range(5)),
        *((31 + index, 35 - index) for index in range(2)),
        *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
        *((48 + index, 54 - index) for index in range(3)),
        *((55 + index, 59 - index) for index in range(2)),
        *((60 + index, 64 - index) for index in range(2)),
        (65, 67),
    ]
    for first, second in pairs:
        order[first], order[second] = second, first
    return order


MIRRORED = _mirrored_order()
"""Number of the mirrored point, int64 (68,)."""


def random_crop(
    image: np.ndarray, landmarks: np.ndarray, side: int, flip: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random crop uint8 (side, side, 3) and the landmarks (68, 2) in it, mirrored left to right at a rate.

    Every place has the same chance, that of an image as large as the crop too.
    """
    height, width = image.shape[:2]
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    crop = image[top : top + side, left : left + side]
    moved = landmarks - np.array([left, top], np.float32)
    if rng.random() < flip:
        crop, moved = cv2.flip(crop, 1), mirrored(moved, side)
    return crop, moved.astype(np.float32)


def mirrored(landmarks: np.ndarray, width: int) -> np.ndarray:
    """Return landmarks (68, 2) of the mirror image of this width, in the order of the mark-up."""
    turned = landmarks[MIRRORED].copy()
    turned[:, 0] = width - 1 - turned[:, 0]
    return turned
