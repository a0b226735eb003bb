"""Faults of photographs, applied to the whole picture before anything looks for a face in it.

Each is a function of the photograph uint8 RGB (H, W, 3), the landmarks (5, 2) of its face, a strength 0..1 and a
generator. These are not the factors of our own data: they were written for measuring, and nothing is trained on them.
"""

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

Fault = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]


def _span(face: np.ndarray) -> float:
    """Return the distance of the eyes in pixels."""
    return float(np.hypot(*(face[1] - face[0])))


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _blur(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.01 + strength * 0.14 * _span(face)))


def _motion(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    length = max(1, round(strength * 0.6 * _span(face)))
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    angle = random.uniform(0, np.pi)
    end = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    cv2.line(kernel, *(tuple(np.rint(length + sign * end).astype(int).tolist()) for sign in (-1, 1)), 1.0)
    return np.asarray(cv2.filter2D(photo, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def _low_resolution(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    scale = 1 / (1 + strength * 7)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def _noise(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return _clipped(photo + random.normal(0, 0.01 + strength * 70, photo.shape))


def _jpeg(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    target = io.BytesIO()
    Image.fromarray(photo).save(target, "JPEG", quality=max(1, round(60 - 58 * strength)))
    return np.asarray(Image.open(target).convert("RGB"))


def _dark(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return _clipped(photo * 0.04**strength)


def _bright(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return _clipped(photo * (1 + 5 * strength))


def _gamma(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return _clipped(255 * (photo / 255) ** (1 + 3 * strength))


def _flat(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return _clipped(128 + (photo - 128.0) * (1 - 0.93 * strength))


def _block(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    side = round((0.3 + 1.5 * strength) * _span(face))
    x, y = np.rint(face.mean(axis=0) + random.uniform(-0.5, 0.5, 2) * _span(face) - side / 2).astype(int)
    covered = photo.copy()
    covered[max(y, 0) : y + side, max(x, 0) : x + side] = random.integers(0, 256, 3)
    return covered


def _mask(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    covered, span = photo.copy(), _span(face)
    left, right = face[3], face[4]
    nose = face[2] + (face[2] - face[:2].mean(axis=0)) * (0.6 - strength)
    chin = face[3:].mean(axis=0) + (face[3:].mean(axis=0) - face[2]) * 1.6
    aside, up = np.array([0.7 * span, 0.0]), np.array([0.0, 0.2 * span])
    outline = np.array([left - aside - up, nose, right + aside - up, chin])
    colour = tuple(int(value) for value in random.integers(60, 230, 3))
    cv2.fillConvexPoly(covered, cv2.convexHull(np.rint(outline).astype(np.int32)), colour, cv2.LINE_AA)
    return covered


def _sunglasses(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    covered, span = photo.copy(), _span(face)
    half = (max(1, round((0.2 + 0.2 * strength) * span)), max(1, round((0.15 + 0.15 * strength) * span)))
    for eye in face[:2]:
        cv2.ellipse(covered, tuple(np.rint(eye).astype(int).tolist()), half, 0, 0, 360, (15, 15, 18), -1, cv2.LINE_AA)
    return covered


def _shadow(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    x = np.arange(photo.shape[1]) - face[2, 0]
    side = random.choice([-1, 1])
    fall = 1 - strength * 0.97 / (1 + np.exp(-side * x / (0.15 * _span(face))))
    return _clipped(photo * fall[None, :, None])


def _rotated(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    angle = float(random.choice([-1, 1]) * 60 * strength)
    turn = cv2.getRotationMatrix2D(tuple(face.mean(axis=0).tolist()), angle, 1)
    return np.asarray(cv2.warpAffine(photo, turn, photo.shape[1::-1], borderMode=cv2.BORDER_REFLECT))


def _cropped(photo: np.ndarray, face: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    start = round(float(face[:, 0].min()) + (strength - 0.8) * 0.6 * _span(face))
    side = random.random() < 0.5
    kept = photo if not side else photo[:, ::-1]
    cut = max(0, min(start if not side else photo.shape[1] - 1 - round(float(face[:, 0].max())), photo.shape[1] // 2))
    kept = kept[:, cut:]
    return np.ascontiguousarray(kept if not side else kept[:, ::-1])


FAULTS: dict[str, Fault] = {
    "blur": _blur,
    "motion": _motion,
    "low resolution": _low_resolution,
    "noise": _noise,
    "JPEG": _jpeg,
    "darkening": _dark,
    "over-exposure": _bright,
    "gamma": _gamma,
    "low contrast": _flat,
    "block": _block,
    "mask": _mask,
    "sunglasses": _sunglasses,
    "side shadow": _shadow,
    "rotation": _rotated,
    "cut at the frame": _cropped,
}
"""Faults by name; a strength of 0 is weak, not none."""


def spoilt(photo: np.ndarray, face: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the photograph with 0 to 2 faults of random strengths."""
    for name in random.permutation(list(FAULTS))[: random.integers(0, 3)]:
        photo = FAULTS[name](photo, face, float(random.random()), random)
    return photo
