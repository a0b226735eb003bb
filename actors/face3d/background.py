"""Backdrops behind the head, muted like real rooms and streets."""

import colorsys

import cv2
import numpy as np

from actors.face3d.paint import to_linear


def _colour(rng: np.random.Generator, low: float = 0.2, high: float = 0.9, vivid: float = 0.4) -> np.ndarray:
    saturation = vivid * rng.random() ** 1.5
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(low, high)), np.float32)


def paint_background(kind: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a backdrop (size, size, 3) in linear light: plain, gradient, blurred or cluttered."""
    first = _colour(rng)
    image: np.ndarray = np.empty((size, size, 3), np.float32)
    image[:] = first
    if kind in ("plain", "gradient"):
        second = first * rng.uniform(0.45, 0.8) if kind == "gradient" else first * 0.9
        angle = rng.uniform(0, 2 * np.pi)
        yy, xx = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
        ramp = np.clip(0.5 + 0.4 * (np.cos(angle) * xx + np.sin(angle) * yy), 0, 1)[..., None]
        return to_linear(first + ramp * (second - first))
    # a wall over a floor line, then objects
    horizon = int(size * rng.uniform(0.45, 0.9))
    image[horizon:] = first * rng.uniform(0.5, 0.85)
    if kind == "blurred":
        for _ in range(int(rng.integers(5, 12))):
            _object(image, rng, size, rng.uniform(0.08, 0.45))
        for _ in range(int(rng.integers(0, 6))):
            centre = (int(rng.integers(0, size)), int(rng.integers(0, size)))
            glow = tuple(float(v) for v in _colour(rng, 0.8, 1.0, 0.3))
            cv2.circle(image, centre, max(1, int(size * rng.uniform(0.015, 0.05))), glow, -1)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), size * rng.uniform(0.02, 0.05)), np.float32)
    else:
        for _ in range(int(rng.integers(14, 30))):
            _object(image, rng, size, rng.uniform(0.04, 0.3))
        shelf = int(size * rng.uniform(0.1, 0.6))
        x = 0
        while x < size:  # a row of books
            width = max(2, int(size * rng.uniform(0.015, 0.05)))
            height = int(size * rng.uniform(0.10, 0.2))
            book = tuple(float(v) for v in _colour(rng, 0.1, 0.85, 0.6))
            cv2.rectangle(image, (x, shelf - height), (x + width - 1, shelf), book, -1)
            x += width
        cv2.rectangle(image, (0, shelf), (size, shelf + max(1, size // 60)), (0.25, 0.2, 0.16), -1)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), size / 220), np.float32)
        image += 0.006 * rng.standard_normal((size, size, 1), dtype=np.float32)
    return to_linear(image)


def _object(image: np.ndarray, rng: np.random.Generator, size: int, extent: float) -> None:
    """Draw one rectangle or ellipse with a lighter edge."""
    x, y = int(rng.integers(-size // 10, size)), int(rng.integers(-size // 10, size))
    w, h = int(size * extent * rng.uniform(0.4, 1.2)) + 1, int(size * extent * rng.uniform(0.4, 1.6)) + 1
    colour = _colour(rng, 0.12, 0.9)
    fill = tuple(float(v) for v in colour)
    edge = tuple(float(v) for v in colour * 0.7)
    if rng.random() < 0.7:
        cv2.rectangle(image, (x, y), (x + w, y + h), fill, -1)
        cv2.rectangle(image, (x, y), (x + w, y + h), edge, max(1, size // 100))
    else:
        cv2.ellipse(image, (x, y), (w // 2 + 1, h // 2 + 1), float(rng.uniform(0, 180)), 0, 360, fill, -1)
