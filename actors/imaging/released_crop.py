"""The square that MR-FIQA's release crops around a detected face: for DECA, for degradation and for alignment."""

import numpy as np


def raised_box(box: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return a box (4,) x0, y0, x1, y1 raised to one distance from left eye to left mouth corner above that eye.

    `landmarks` (5, 2) are those of its face; a box that reaches higher stays.
    """
    forehead = landmarks[0, 1] - abs(landmarks[0, 1] - landmarks[3, 1])
    return np.array([box[0], min(box[1], forehead), *box[2:]])


def padded_square(box: np.ndarray, size: tuple[int, ...]) -> tuple[int, int, int]:
    """Return left, top and side of the square that a box (4,), rounded to whole pixels, is padded to.

    `size` is the height and width of its image in pixels.
    """
    # Bounds the memory for absurd boxes of bad weights: beyond one image size outside, all pixels are black anyway.
    height, width = size[:2]
    x0, y0, x1, y1 = np.rint(np.clip(box, [-width, -height] * 2, [2 * width, 2 * height] * 2)).astype(int).tolist()
    side = max(1, x1 - x0, y1 - y0)
    return x0 - (side - (x1 - x0)) // 2, y0 - (side - (y1 - y0)) // 2, side
