"""Optics in linear light: exposure, defocus, blur, shake and veiling light of float32 images (H, W, 3).

Lengths are in pixels of the image. Every kernel sums to 1, so that no blur changes the mean level inside the picture.
"""

import cv2
import numpy as np
from scipy.special import ive

from synfiqa.actors.degradation.operators import line_spread

VEIL = 0.55
"""Light of a bright haze or of flare that fills the picture."""

_STEPS = 8  # samples of a motion path per pixel
_GRID = 8  # samples of a disc along each side of a pixel


def exposed(light: np.ndarray, gain: float) -> np.ndarray:
    """Return the light times an exposure gain; the sensor clips it (`linear_light.developed`)."""
    return light if gain == 1 else light * np.float32(gain)


def veiled(light: np.ndarray, haze: float) -> np.ndarray:
    """Return the light of which a share is replaced by even veiling light (Koschmieder's law at one distance)."""
    return light if haze <= 0 else light * np.float32(1 - haze) + np.float32(haze * VEIL)


def gaussian_blurred(light: np.ndarray, sigma: float) -> np.ndarray:
    """Return the light blurred by a Gaussian of this standard deviation; kernels reach over 4 sigma."""
    if sigma <= 0:
        return light
    taps = gaussian_taps(sigma).astype(np.float32)
    return np.asarray(cv2.sepFilter2D(light, -1, taps, taps, borderType=cv2.BORDER_REFLECT))


def gaussian_taps(sigma: float) -> np.ndarray:
    """Return taps (2 n + 1,) of sum 1 whose variance is sigma^2: the discrete Gaussian (Lindeberg, PAMI 1990)."""
    # Samples of a continuous Gaussian are too narrow below one pixel; the variance of these is exact at any sigma.
    reach = int(np.ceil(4 * sigma)) + 1
    taps = ive(np.abs(np.arange(-reach, reach + 1)), sigma**2)
    return np.asarray(taps / taps.sum())


def disc_kernel(radius: float) -> np.ndarray:
    """Return the kernel (K, K) of sum 1 of a uniform disc with a radius in pixels, antialiased at its edge."""
    reach = int(np.ceil(radius))
    places = (np.arange((2 * reach + 1) * _GRID) + 0.5) / _GRID - reach - 0.5
    inside = places[:, None] ** 2 + places[None, :] ** 2 <= max(radius, 1 / _GRID) ** 2
    side = 2 * reach + 1
    kernel = inside.reshape(side, _GRID, side, _GRID).mean(axis=(1, 3))
    return np.asarray(kernel / kernel.sum())


def defocused(light: np.ndarray, radius: float) -> np.ndarray:
    """Return the light with every point spread over a disc of confusion of this radius."""
    return light if radius <= 0 else _filtered(light, disc_kernel(radius))


def line_kernel(length: float, angle: float) -> np.ndarray:
    """Return the kernel (K, K) of sum 1 of straight, uniform motion: length in pixels, angle in radians from x to y."""
    # Middles of equal parts, so that a short shake keeps the variance of a uniform line.
    count = max(2, int(np.ceil(_STEPS * length)))
    return line_spread(((np.arange(count) + 0.5) / count - 0.5) * length, length, angle)


def shaken(light: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Return the light moved along a centred straight line of this length during the exposure."""
    return light if length <= 0 else _filtered(light, line_kernel(length, angle))


def _filtered(light: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.filter2D(light, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT))
