"""The camera's processing of display values, float32 (H, W, 3) in 0..255: gamma, contrast, denoising, sharpening."""

import cv2
import numpy as np

_DIAMETER = 5  # pixels that are averaged where they are alike
_MASK = 1.0  # standard deviation of the unsharp mask, pixels
_MIDDLE = 127.5


def with_gamma(levels: np.ndarray, exponent: float) -> np.ndarray:
    """Return grey levels to a power: darker above 1, black and white stay."""
    if exponent == 1:
        return levels
    return np.asarray(255 * cv2.pow(np.clip(levels, 0, 255) / np.float32(255), exponent))


def with_contrast(levels: np.ndarray, contrast: float) -> np.ndarray:
    """Return grey levels whose distance from the middle of the range is multiplied."""
    return levels if contrast == 1 else np.asarray(_MIDDLE + (levels - _MIDDLE) * np.float32(contrast))


def denoised(levels: np.ndarray, difference: float) -> np.ndarray:
    """Return grey levels averaged over neighbours that differ by about `difference` or less (bilateral filter)."""
    if difference <= 0:
        return levels
    return np.asarray(cv2.bilateralFilter(levels.astype(np.float32), _DIAMETER, difference, _DIAMETER / 2))


def sharpened(levels: np.ndarray, amount: float) -> np.ndarray:
    """Return grey levels plus `amount` times what a Gaussian of one pixel takes away (unsharp mask)."""
    if amount <= 0:
        return levels
    smooth = cv2.GaussianBlur(levels, (0, 0), _MASK, borderType=cv2.BORDER_REFLECT)
    return np.asarray(levels + np.float32(amount) * (levels - smooth))


def rounded(levels: np.ndarray) -> np.ndarray:
    """Return uint8 pixels of grey levels, clipped to 0..255."""
    clipped = np.clip(levels, 0, 255)
    return np.asarray(np.rint(clipped, out=clipped).astype(np.uint8))
