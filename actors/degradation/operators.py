"""Degradation operators for uint8 RGB images (H, W, 3), each with one exact strength."""

import cv2
import numpy as np

from synfiqa.actors.imaging.codec import decode, encode_jpeg

_SHADOW_SHARE = 0.2  # of the noise variance at mid-grey that is read noise, independent of the light
_SHADOW_LIMIT = 4.0  # largest gain of read noise in the deepest shadows, where tone curves flatten out
_CHROMA_SHARE = 0.3  # of the variance that differs between channels; raw converters smooth chroma more than luma
_STEPS = 8  # samples of a motion path per pixel


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the image blurred by an isotropic Gaussian, sigma in pixels; unchanged at 0."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma > 0 else image


def lower_resolution(image: np.ndarray, side: int) -> np.ndarray:
    """Return a square image shrunk to `side` pixels by averaging and enlarged again; unchanged at its own side."""
    size = image.shape[0]
    if side >= size:
        return image
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC))


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """Return the kernel (K, K) of sum 1 of straight, uniform motion: length in pixels, angle in radians from x to y."""
    return line_spread(np.linspace(-length / 2, length / 2, max(2, int(np.ceil(_STEPS * length)))), length, angle)


def line_spread(path: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Return the kernel (K, K) of sum 1 of samples along a straight line through its middle.

    path: places (P,) on the line in pixels, within half of `length` either way; angle: radians from x to y.
    """
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    x, y = reach + np.cos(angle) * path, reach + np.sin(angle) * path
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    # Every sample is distributed bilinearly over the four pixels around it.
    for dx in (0, 1):
        for dy in (0, 1):
            np.add.at(kernel, (top + dy, left + dx), (1 - np.abs(x - left - dx)) * (1 - np.abs(y - top - dy)))
    return kernel / kernel.sum()


def motion_blur(image: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Return the image blurred along a centred straight line of `length` pixels; unchanged at 0."""
    if length <= 0:
        return image
    return np.asarray(cv2.filter2D(image, -1, motion_kernel(length, angle), borderType=cv2.BORDER_REFLECT))


def sensor_noise(image: np.ndarray, sigma: float, rng: np.random.Generator, grain: float = 1.0) -> np.ndarray:
    """Return the image with shot and read noise of `sigma` grey levels at mid-grey, whose grain is `grain` pixels wide.

    Equal generators give the same pattern at all strengths. Shot noise grows with the root of the light, which a tone
    curve makes almost uniform over grey levels; read noise is independent of the light, so that the curve amplifies it
    in the shadows. Chroma noise is a smaller, coarser part.
    """
    if sigma <= 0:
        return image
    height, width = (max(1, round(side / grain)) for side in image.shape[:2])
    light = rng.standard_normal((height, width, 1), dtype=np.float32)
    colour = cv2.GaussianBlur(rng.standard_normal((height, width, 3), dtype=np.float32), (3, 3), 0.7)
    colour = colour / colour.std()
    if (height, width) != image.shape[:2]:
        light, colour = (_enlarged(pattern, image.shape[:2]) for pattern in (light, colour))
    pattern = np.sqrt(1 - _CHROMA_SHARE) * light + np.sqrt(_CHROMA_SHARE) * colour
    level = image.astype(np.float32)
    shadows = np.minimum((np.maximum(level, 1) / 128) ** -2.4, _SHADOW_LIMIT)
    local = sigma * np.sqrt(1 - _SHADOW_SHARE + _SHADOW_SHARE * shadows)
    return np.clip(np.rint(level + local * pattern), 0, 255).astype(np.uint8)


def _enlarged(pattern: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a pattern of unit variance (H, W, C) at another height and width, of unit variance too."""
    resized = cv2.resize(pattern, shape[::-1], interpolation=cv2.INTER_CUBIC).reshape(*shape, pattern.shape[2])
    return np.asarray(resized / resized.std(axis=(0, 1)))


def toned(image: np.ndarray, exponent: float) -> np.ndarray:
    """Return uint8 pixels under the tone curve 255 (v / 255)^exponent: below 1 brighter, above 1 darker."""
    curve = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return np.asarray(cv2.LUT(image, curve))


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return the image after JPEG compression of a quality 1..100."""
    return decode(encode_jpeg(image, quality))
