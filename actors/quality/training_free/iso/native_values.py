"""Measures native values of ISO/IEC 29794-5 on aligned crops: luminance and colour within the stand-in region."""

import cv2
import numpy as np

from synfiqa.actors.quality.training_free.iso.face_region import cheek_mask, face_mask

_LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights of R, G, B."""
DARK, BRIGHT = 25, 247
"""Highest luminance of an under-exposed pixel, lowest of an over-exposed one, 0..255."""
NATURAL_A, NATURAL_B = (5.0, 25.0), (5.0, 35.0)
"""Ranges of a* and b* of skin."""


def histograms(images: np.ndarray) -> np.ndarray:
    """Return shares float64 (N, 256) of each luminance among the face pixels of uint8 RGB crops (N, 112, 112, 3)."""
    pixels = images[:, face_mask()].astype(np.float64)
    levels = np.rint(pixels @ np.array(_LUMA)).astype(np.int64)
    return np.stack([np.bincount(row, minlength=256) / len(row) for row in levels]).reshape(len(images), 256)


def mean(shares: np.ndarray) -> np.ndarray:
    """Return the mean luminance 0..1 of histograms (N, 256)."""
    result: np.ndarray = shares @ _LEVELS
    return result


def variance(shares: np.ndarray) -> np.ndarray:
    """Return the variance of luminance 0..1, at most 0.25, of histograms (N, 256)."""
    result: np.ndarray = np.sum(shares * (_LEVELS - mean(shares)[:, None]) ** 2, axis=1)
    return result


def dark_share(shares: np.ndarray) -> np.ndarray:
    """Return the share 0..1 of pixels of luminance 0..25."""
    result: np.ndarray = shares[:, : DARK + 1].sum(axis=1)
    return result


def bright_share(shares: np.ndarray) -> np.ndarray:
    """Return the share 0..1 of pixels of luminance 247..255."""
    result: np.ndarray = shares[:, BRIGHT:].sum(axis=1)
    return result


def entropy(shares: np.ndarray) -> np.ndarray:
    """Return the entropy 0..8 bits of histograms (N, 256)."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.abs(np.sum(shares * logs, axis=1))


def colour_distance(images: np.ndarray) -> np.ndarray:
    """Return how far the mean a* and b* of the cheeks lie outside the ranges of skin, Euclidean, 0 and above."""
    found = []
    for image in images:
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        _, a, b = lab[cheek_mask()].astype(np.float64).mean(axis=0)
        beyond = [max(low - value, value - high, 0.0) for value, (low, high) in ((a, NATURAL_A), (b, NATURAL_B))]
        found.append(float(np.hypot(*beyond)))
    return np.array(found, np.float64)


_LEVELS = np.arange(256) / 255
