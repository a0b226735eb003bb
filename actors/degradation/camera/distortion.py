"""Radial distortion of a lens, one coefficient: points and pictures agree.

With r in units of half the frame's side, a point at distorted radius r lies at r (1 + k1 r^2) of the undistorted
picture: k1 > 0 draws the picture together towards its edge (barrel), k1 < 0 pulls it apart (pincushion).
"""

import cv2
import numpy as np

_ROUNDS = 60


def undistorted(points: np.ndarray, k1: float, side: float) -> np.ndarray:
    """Return where points (..., 2) x, y of a distorted frame of this side lie in the undistorted one, in pixels."""
    centre = (side - 1) / 2
    offset = (np.asarray(points, np.float64) - centre) / (side / 2)
    radius = (offset**2).sum(axis=-1, keepdims=True)
    return np.asarray(centre + offset * (1 + k1 * radius) * (side / 2))


def distorted(points: np.ndarray, k1: float, side: float) -> np.ndarray:
    """Return where points (..., 2) of the undistorted frame lie in the distorted one: the inverse, by Newton's method.

    A strong pincushion folds: beyond r = sqrt(1 / (3 |k1|)) no point has an inverse, and the fold's edge is returned.
    """
    centre = (side - 1) / 2
    offset = (np.asarray(points, np.float64) - centre) / (side / 2)
    wanted = np.sqrt((offset**2).sum(axis=-1, keepdims=True))
    fold = np.sqrt(1 / (3 * -k1)) * (1 - 1e-9) if k1 < 0 else np.inf
    radius = np.minimum(wanted, fold)
    for _ in range(_ROUNDS):
        step = (radius * (1 + k1 * radius**2) - wanted) / np.maximum(1 + 3 * k1 * radius**2, 1e-9)
        radius = np.clip(radius - step, 0, fold)
        if np.abs(step).max(initial=0) < 1e-12:
            break
    share = np.divide(radius, wanted, out=np.ones_like(wanted), where=wanted > 0)
    return np.asarray(centre + offset * share * (side / 2))


def seen_part(part: tuple[int, int, int, int], k1: float, side: int) -> tuple[int, int, int, int]:
    """Return the part (left, top, right, bottom) of the undistorted frame that a part of the distorted one shows."""
    left, top, right, bottom = part
    source = undistorted(np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), -1), k1, float(side))
    # Pixels are interpolated between two, and places are rounded to float32.
    low = np.clip(np.floor(source.min((0, 1))) - 1, 0, side - 1).astype(int)
    high = np.clip(np.ceil(source.max((0, 1))) + 2, 1, side).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def lens_distorted(light: np.ndarray, k1: float, corner: tuple[int, int], side: float) -> np.ndarray:
    """Return a part of a frame, float32 (H, W, 3) whose first pixel is `corner` (x, y), seen through the lens.

    What the lens sees from outside the part repeats the pixels at its edge.
    """
    if k1 == 0:
        return light
    height, width = light.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) + np.array(corner)
    source = (undistorted(grid, k1, side) - np.array(corner)).astype(np.float32)
    return np.asarray(
        cv2.remap(light, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )
