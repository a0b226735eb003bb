"""Variance of the Laplacian: falls with blur, zero without detail."""

import cv2
import numpy as np
from skimage.data import astronaut

from synfiqa.actors.quality.measures.sharpness import laplacian_variance, sharpness

PHOTO = astronaut()[:128, 160:288].copy()


def test_falls_with_blur():
    values = sharpness(np.stack([cv2.GaussianBlur(PHOTO, (0, 0), s) if s else PHOTO for s in (0, 1, 2, 4)]))
    assert list(values) == sorted(values, reverse=True)
    assert values[0] > 10 * values[3]
    assert values[0] == laplacian_variance(PHOTO)


def test_flat_image_has_none():
    assert laplacian_variance(np.full((64, 64, 3), 90, np.uint8)) == 0
