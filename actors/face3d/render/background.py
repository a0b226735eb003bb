"""Backdrops behind the head: studio walls, and rooms and streets far out of focus."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from synfiqa.actors.face3d.paint.canvas import noise, to_linear
from synfiqa.actors.face3d.render.window import Window, inside

# Display colours of walls, wood, plants, sky and stone; saturated large areas are rare in photographs.
_WALLS = np.array(
    [(0.80, 0.78, 0.74), (0.70, 0.70, 0.69), (0.56, 0.57, 0.58), (0.74, 0.69, 0.60), (0.48, 0.53, 0.57),
     (0.60, 0.63, 0.58), (0.42, 0.40, 0.40), (0.27, 0.29, 0.32), (0.17, 0.17, 0.18), (0.63, 0.55, 0.49)],
    np.float32,
)  # fmt: skip
_THINGS = np.array(
    [(0.36, 0.25, 0.17), (0.52, 0.39, 0.27), (0.16, 0.15, 0.15), (0.85, 0.84, 0.80), (0.24, 0.29, 0.36),
     (0.45, 0.20, 0.17), (0.24, 0.34, 0.24), (0.66, 0.60, 0.50), (0.55, 0.58, 0.62), (0.34, 0.33, 0.35)],
    np.float32,
)  # fmt: skip
_LAMP = np.array((1.0, 0.90, 0.74), np.float32)
_DRAWN = 96  # scenes are drawn at this size and enlarged, because they are out of focus


def paint_background(kind: str, rng: np.random.Generator, size: int, window: Window | None = None) -> np.ndarray:
    """Return a backdrop (size, size, 3) in linear light, or its window: plain, gradient, blurred or cluttered."""
    shown = inside(window or (0, 0, size, size), (0, 0, size, size))
    if kind in ("plain", "gradient"):
        return _studio(kind == "gradient", rng, size, shown)
    scene = _SCENES[int(rng.integers(len(_SCENES)))](rng, _DRAWN)
    if kind == "blurred":
        focus = _DRAWN * rng.uniform(0.03, 0.075)
        # out of focus, lamps become discs and all else is blurred
        image = cv2.GaussianBlur(to_linear(scene), (0, 0), focus)
        _bokeh(image, rng, int(rng.integers(0, 7)), focus)
    else:
        for _ in range(int(rng.integers(3, 7))):
            _box(scene, rng, 0.05, 0.22, low=1.0, high=0.45)
        image = cv2.GaussianBlur(to_linear(scene), (0, 0), _DRAWN * rng.uniform(0.007, 0.018))
        grain = cv2.resize(rng.standard_normal((_DRAWN, _DRAWN), dtype=np.float32), (_DRAWN, _DRAWN))
        image = image * (1 + 0.012 * grain[..., None])
    large = cv2.resize(np.asarray(image, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(large[shown], 0, 1)


def _pick(rng: np.random.Generator, table: np.ndarray, spread: float = 0.06) -> np.ndarray:
    """Return a random colour of a table with jitter of brightness and hue."""
    colour = table[int(rng.integers(len(table)))] * np.exp(rng.normal(0, 0.15)) + rng.normal(0, spread / 2, 3)
    return np.clip(colour, 0.03, 0.97).astype(np.float32)


def _studio(graded: bool, rng: np.random.Generator, size: int, shown: tuple[slice, slice]) -> np.ndarray:
    """Return the shown rows and columns of a paper or wall backdrop with the light falloff of one lamp."""
    colour = _pick(rng, _WALLS)
    rows, columns = shown
    yy, xx = _places(size)[rows, None], _places(size)[None, columns]
    cx, cy, fall = rng.uniform(-0.8, 0.8), rng.uniform(-0.9, 0.4), rng.uniform(0.25, 0.7) if graded else 0.08
    pool = np.exp(-0.45 * ((xx - cx) ** 2 + (yy - cy) ** 2))
    shade = 1 - fall * (1 - pool)
    cloud = cv2.resize(noise(rng, (4, 4), (16, 16)), (size, size), interpolation=cv2.INTER_CUBIC)[shown]
    shade *= 1 + (0.05 if graded else 0.015) * cloud
    lit = to_linear(colour) * shade[..., None]
    return np.clip(lit, 0, 1, out=lit)


@cache
def _places(size: int) -> np.ndarray:
    """Return the places of pixels from one edge of the frame, -1, to the other, 1."""
    return np.mgrid[-1 : 1 : size * 1j].astype(np.float32)


def _room(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a wall lit from a window, pictures, shelves of books, furniture low in the frame."""
    wall = _pick(rng, _WALLS)
    ramp = np.linspace(rng.uniform(0.7, 1.0), rng.uniform(0.7, 1.1), size, dtype=np.float32)
    image = np.ascontiguousarray(wall * ramp[None, :, None] * np.ones((size, 1, 1), np.float32))
    if rng.random() < 0.55:  # a bright window with its frame
        x, w = int(size * rng.uniform(-0.1, 0.8)), int(size * rng.uniform(0.2, 0.4))
        top, bottom = int(size * rng.uniform(-0.1, 0.15)), int(size * rng.uniform(0.5, 0.8))
        _fill(image, x, top, w, bottom - top, np.array((0.95, 0.97, 1.0)) * rng.uniform(0.8, 1.05))
        _fill(image, x + w // 2, top, max(1, size // 60), bottom - top, wall * 0.8)
    for _ in range(int(rng.integers(1, 4))):
        _box(image, rng, 0.1, 0.3, low=0.5)
    if rng.random() < 0.4:  # shelves of books
        for shelf in np.arange(rng.uniform(0.1, 0.25), 0.75, rng.uniform(0.2, 0.3)):
            x, stop, base = int(size * rng.uniform(-0.2, 0.5)), size, int(size * shelf)
            stop = min(size, x + int(size * rng.uniform(0.3, 0.8)))
            while x < stop:
                w, h = int(size * rng.uniform(0.015, 0.05)) + 1, int(size * rng.uniform(0.09, 0.17))
                _fill(image, x, base - h, w, h, _pick(rng, _THINGS) * 0.8)
                x += w
            _fill(image, x - (stop - x), base, stop - x, max(1, size // 50), _THINGS[0])
    floor = int(size * rng.uniform(0.72, 1.0))
    image[floor:] = _pick(rng, _THINGS) * 0.7
    for _ in range(int(rng.integers(1, 4))):
        _box(image, rng, 0.2, 0.5, high=0.55)
    return image


def _outdoors(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return sky over trees or a meadow."""
    sky = np.array((0.72, 0.80, 0.88), np.float32) * rng.uniform(0.75, 1.08)
    sky = sky + rng.uniform(0, 0.6) * (sky.mean() - sky)  # overcast to blue
    green = np.array((0.29, 0.36, 0.20), np.float32) * rng.uniform(0.6, 1.3) + rng.normal(0, 0.02, 3)
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    line = rng.uniform(0.1, 0.75) + 0.10 * noise(rng, (1, 8), (1, size))[..., None]
    image = np.where(y < line, sky * (1.05 - 0.25 * (1 - y)), green * (1.15 - 0.4 * y))
    leaves = noise(rng, (14, 14), (size, size)) + 0.7 * noise(rng, (32, 32), (size, size))
    image = image * np.where(y < line, 1.0, 1 + 0.28 * leaves[..., None])
    image = image + np.where(y < line, 0, 0.35 * np.clip(leaves[..., None] - 1.6, 0, 1)) * sky
    for _ in range(int(rng.integers(0, 3))):
        x = int(size * rng.uniform(0, 1))
        _fill(image, x, 0, int(size * rng.uniform(0.02, 0.08)) + 1, size, _THINGS[0] * rng.uniform(0.6, 1.0))
    return np.ascontiguousarray(image, np.float32)


def _street(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return house fronts with rows of windows under a strip of sky."""
    image: np.ndarray = np.empty((size, size, 3), np.float32)
    image[:] = np.array((0.78, 0.83, 0.88), np.float32) * rng.uniform(0.7, 1.05)
    x = -int(size * rng.uniform(0, 0.2))
    while x < size:
        w, top = int(size * rng.uniform(0.25, 0.55)), int(size * rng.uniform(-0.3, 0.3))
        front = _pick(rng, _WALLS) * rng.uniform(0.7, 1.0)
        _fill(image, x, top, w, size - top, front)
        step, row = max(3, int(size * rng.uniform(0.07, 0.13))), max(4, int(size * rng.uniform(0.11, 0.18)))
        glass = np.array((0.30, 0.34, 0.38), np.float32) * rng.uniform(0.5, 1.3)
        for wy in range(top + row // 2, int(0.85 * size), row):
            for wx in range(x + step // 2, x + w - step // 2, step):
                _fill(image, wx, wy, step // 2, row // 2, glass * rng.uniform(0.7, 1.2))
        x += w
    image[int(size * 0.88) :] = (0.33, 0.33, 0.34)
    return image


def _fill(image: np.ndarray, x: int, y: int, w: int, h: int, colour: np.ndarray) -> None:
    """Fill a rectangle, clipped to the frame."""
    image[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = np.minimum(np.maximum(colour, 0), 1)


def _box(
    image: np.ndarray, rng: np.random.Generator, small: float, large: float, low: float = 1.0, high: float = 0.0
) -> None:
    """Draw a random box with a lit and a shaded part, its top between `high` and `low` of the frame's height."""
    size = image.shape[0]
    w, h = (int(size * rng.uniform(small, large)) + 1 for _ in range(2))
    x, y = int(rng.integers(-w // 2, size)), int(size * rng.uniform(high, low))
    colour = _pick(rng, _THINGS)
    _fill(image, x, y, w, h, colour)
    _fill(image, x + int(w * rng.uniform(0.3, 0.8)), y, w, h, colour * 0.75)


def _bokeh(image: np.ndarray, rng: np.random.Generator, count: int, focus: float) -> None:
    """Add soft discs of out-of-focus lamps, in linear light."""
    size = image.shape[0]
    discs = np.zeros((size, size), np.float32)
    for _ in range(count):
        centre = (int(rng.integers(0, size)), int(rng.integers(0, int(0.7 * size))))
        cv2.circle(discs, centre, int(focus * rng.uniform(0.6, 1.1)) + 1, float(rng.uniform(0.1, 0.45)), -1)
    if count:
        image += cv2.GaussianBlur(discs, (0, 0), 1.2)[..., None] * _LAMP


_SCENES: tuple[Callable[[np.random.Generator, int], np.ndarray], ...] = (_room, _room, _outdoors, _street)
