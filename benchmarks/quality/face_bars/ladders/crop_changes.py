"""Degradations of an aligned crop in one exact strength: uint8 RGB (112, 112, 3) in and out; 0 (or 1) changes nothing.

Blur, loss of resolution and noise are those of `synfiqa.fiqa_train.rendered_benchmark.operators`.
"""

from collections.abc import Callable

import cv2
import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, ARCFACE_TEMPLATE
from synfiqa.fiqa_train.rendered_benchmark.operators import Operator, apply

_GREY = 128
_LENS = (13, 9)  # half axes in pixels, a little wider than an eye and its lids


def blurred(crop: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Return the crop blurred by an isotropic Gaussian of `sigma` pixels."""
    return apply(Operator(blur_sigma=sigma), crop, seed)


def shrunk(crop: np.ndarray, side: float, seed: int) -> np.ndarray:
    """Return the crop shrunk to `side` x `side` pixels and enlarged again."""
    return apply(Operator(resolution=round(side)), crop, seed)


def noisy(crop: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Return the crop with sensor noise of `sigma` grey levels, one pattern at all strengths of a seed."""
    return apply(Operator(noise_sigma=sigma), crop, seed)


def brightened(crop: np.ndarray, gain: float, seed: int) -> np.ndarray:
    """Return the crop with its light multiplied by `gain`, in the linear light of a display gamma of 2.2."""
    return _mapped(crop, lambda level: np.minimum(1.0, level * gain ** (1 / 2.2)))


def with_gamma(crop: np.ndarray, gamma: float, seed: int) -> np.ndarray:
    """Return the crop with levels 0..1 raised to `gamma`: above 1 darker, below 1 lighter."""
    return _mapped(crop, lambda level: level**gamma)


def covered_from_below(crop: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return the crop with a grey block over this share of its height, from below."""
    covered = crop.copy()
    covered[ARCFACE_SIZE - round(ARCFACE_SIZE * share) :] = _GREY
    return covered


def with_sunglasses(crop: np.ndarray) -> np.ndarray:
    """Return the crop with dark lenses over both eyes and a bridge between them."""
    drawn = crop.copy()
    left, right = (tuple(round(float(value)) for value in ARCFACE_TEMPLATE[eye]) for eye in (0, 1))
    for centre in (left, right):
        cv2.ellipse(drawn, centre, _LENS, 0, 0, 360, (18, 18, 20), -1, cv2.LINE_AA)
    cv2.line(drawn, left, right, (18, 18, 20), 3, cv2.LINE_AA)
    return drawn


def _mapped(crop: np.ndarray, curve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    levels = np.arange(256) / 255
    return np.rint(255 * curve(levels)).astype(np.uint8)[crop]
