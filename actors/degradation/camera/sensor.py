"""The sensor: sampling over the area of its pixels, shot and read noise in linear light, white noise, dark pictures."""

import cv2
import numpy as np

from synfiqa.actors.degradation.camera.linear_light import GAMMA

MID_GREY = (128 / 255) ** GAMMA
"""Linear light of display value 128."""
_SLOPE = 255 / GAMMA * MID_GREY ** (1 / GAMMA - 1)  # grey levels of display per unit of light at mid-grey
_READ_SHARE = 0.02  # of the variance at mid-grey, independent of the light
_COMMON = 0.6  # of the variance that all three channels share: a raw converter mixes them


def sampled(light: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the image (H, W, 3) on a grid with `factor` pixels for one, and the scales x, y as made.

    A coarser pixel is the mean of the light on its area; a finer grid is interpolated, as behind a lens that resolves
    no more. A pixel centre x becomes (x + 0.5) * scale - 0.5.
    """
    image, scales = resampled(light, factor)
    return (image if image is light or factor < 1 else np.maximum(image, 0)), scales


def resampled(image: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (H, W, 3) resized by about `factor`, and the scales x, y as made: by areas below 1, else bicubic.

    One that keeps its size is returned as it is.
    """
    height, width = image.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    scales = np.array([size[0] / width, size[1] / height])
    if size == (width, height):
        return image, scales
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)), scales


def sensor_noised(light: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return linear light (H, W, 3) with shot and read noise of `sigma` grey levels at mid-grey after the tone curve.

    The variance is proportional to the light, except a fiftieth of that at mid-grey, which is read noise.
    """
    if sigma <= 0:
        return light
    spread = np.maximum(light, 0)
    spread *= (1 - _READ_SHARE) / MID_GREY
    spread += _READ_SHARE
    spread *= (sigma / _SLOPE) ** 2
    np.sqrt(spread, out=spread)
    spread *= _pattern(light.shape, rng, _COMMON)
    spread += light
    return spread


def white_noised(levels: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return display values (H, W, 3) with white noise of `sigma` grey levels, independent in each channel."""
    return levels if sigma <= 0 else np.asarray(levels + np.float32(sigma) * _pattern(levels.shape, rng, 0.0))


def dark_read(levels: np.ndarray, sigma: float, lift: float, rng: np.random.Generator) -> np.ndarray:
    """Return a dark picture (H, W, 3) as read out: noise of `sigma` grey levels, rounded, then lifted by a factor."""
    if sigma <= 0:
        return levels
    read = np.rint(np.clip(white_noised(levels, sigma, rng), 0, 255))
    return np.asarray(np.clip(read * np.float32(lift), 0, 255))


def _pattern(shape: tuple[int, ...], rng: np.random.Generator, common: float) -> np.ndarray:
    """Return normal noise (H, W, 3) of variance 1, of which a share is common to the channels."""
    own = rng.standard_normal(shape, dtype=np.float32)
    if not common:
        return own
    # The symmetric square root of a covariance matrix of ones on the diagonal and the share beside it.
    apart = np.sqrt(1 - common)
    mixed = apart * np.eye(3) + (np.sqrt(1 + 2 * common) - apart) / 3
    return np.asarray(cv2.transform(own, mixed.astype(np.float32)))
