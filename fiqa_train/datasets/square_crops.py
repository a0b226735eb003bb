"""Aligned crops of other sizes than 112 x 112."""

import cv2
import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE


def square_crop(image: np.ndarray) -> np.ndarray:
    """Return an aligned crop uint8 RGB (S, S, 3) at 112 x 112; ValueError for one that is not square."""
    height, width = image.shape[:2]
    if height != width:
        raise ValueError(f"it has {width} x {height} pixels, and an aligned crop is square")
    if height == ARCFACE_SIZE:
        return image
    how = cv2.INTER_AREA if height > ARCFACE_SIZE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (ARCFACE_SIZE, ARCFACE_SIZE), interpolation=how))
