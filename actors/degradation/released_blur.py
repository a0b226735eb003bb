"""Blur of both profiles: rounded and clipped, or as MR-FIQA's release stores it."""

import cv2
import numpy as np
from scipy import ndimage

from synfiqa.schemas.recipe import Profile

_RELEASED_TAPS = 21  # larger kernels are those of whole portraits, for which scipy takes seconds


def correlated(image: np.ndarray, taps: np.ndarray, profile: Profile) -> np.ndarray:
    """Return a uint8 image (H, W, 3) correlated with taps (K, K), mirrored at its borders.

    `corrected` rounds to the nearest grey level and clips. `faithful` truncates towards zero and wraps round, as
    scipy's correlation into uint8 does on x86: 256.0 becomes 0 and -2.3 becomes 254. The released kernel is shifted by
    splines, so that it has negative taps and overshoots beside black and white.
    """
    pixels = image.astype(np.float64)
    if profile == "faithful" and len(taps) <= _RELEASED_TAPS:
        # In scipy's order of summation, for truncation makes a grey level of a difference in the last bit.
        blurred = ndimage.correlate(pixels, taps[:, :, None], mode="reflect")
    else:
        blurred = np.asarray(cv2.filter2D(pixels, cv2.CV_64F, taps, borderType=cv2.BORDER_REFLECT))
    if profile == "corrected":
        return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)
    return (np.trunc(blurred).astype(np.int64) & 255).astype(np.uint8)
