"""Objects held between face and camera: a phone, a book, a sheet of paper, a cup."""

import colorsys
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.face3d.shape.mesh import Part
from synfiqa.actors.face3d.wear.body import ellipsoid


@dataclass(frozen=True)
class FaceBox:
    """Extent of the posed face: x to image-right, y up, and its nearest z (head units)."""

    left: float
    right: float
    bottom: float
    top: float
    front: float


@dataclass(frozen=True)
class _Kind:
    """Width, height and thickness of an object (head units)."""

    width: float
    height: float
    depth: float


_KINDS = {
    "phone": _Kind(0.80, 1.62, 0.09),
    "book": _Kind(1.55, 2.15, 0.22),
    "sheet": _Kind(2.1, 2.97, 0.004),
    "cup": _Kind(0.86, 1.0, 0.0),
}
_ROWS, _COLUMNS = 17, 13


def held_object(face: FaceBox, rng: np.random.Generator, coverage: float, skin: np.ndarray) -> list[Part]:
    """Return an object held from below or from a side; its edge lies 5 % (coverage 0) to 85 % (1) across the face.

    Its orientation does not depend on the head pose.
    """
    kind = str(rng.choice(list(_KINDS), p=(0.35, 0.25, 0.25, 0.15)))
    side = "below" if kind == "cup" else str(rng.choice(("below", "left", "right"), p=(0.5, 0.25, 0.25)))
    shape = _KINDS[kind]
    parts = _cup(rng, shape) if kind == "cup" else _slab(rng, kind, shape)
    parts += _fingers(rng, shape, side, skin) if kind != "cup" else _round_fingers(rng, shape, skin)
    turn = float(rng.uniform(-0.3, 0.3)) * (0.5 if kind == "cup" else 1)
    tilt, nod = rng.uniform(-0.35, 0.35), rng.uniform(-0.3, 0.15)
    matrix = _rotation(turn, tilt, nod)
    reach = 0.05 + 0.80 * coverage
    drift = rng.uniform(-0.2, 0.2)
    middle = np.array([(face.left + face.right) / 2 + drift, (face.bottom + face.top) / 2 + drift])
    if side == "below":
        middle[1] = face.bottom + reach * (face.top - face.bottom) - shape.height / 2
    else:
        sign = 1 if side == "left" else -1
        start = face.left if side == "left" else face.right
        middle[0] = start + sign * (reach * (face.right - face.left) - shape.width / 2)
    gap = 0.12 + 0.3 * (abs(np.sin(tilt)) * shape.width + abs(np.sin(nod)) * shape.height) / 2
    place = np.array([*middle, face.front + gap + (shape.width / 2 if kind == "cup" else shape.depth)])
    for part in parts:
        part.grid = (part.grid @ matrix.T + place).astype(np.float32)
    return parts


def _rotation(turn: float, tilt: float, nod: float) -> np.ndarray:
    """Return the rotation (3, 3) in the image plane, then about the vertical and the horizontal axis; radians."""
    c, s = np.cos([turn, tilt, nod]), np.sin([turn, tilt, nod])
    flat = np.array([[c[0], -s[0], 0], [s[0], c[0], 0], [0, 0, 1]])
    upright = np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])
    level = np.array([[1, 0, 0], [0, c[2], -s[2]], [0, s[2], c[2]]])
    return level @ upright @ flat


def _slab(rng: np.random.Generator, kind: str, shape: _Kind) -> list[Part]:
    """Return a flat box: its front, whose outermost rows and columns are the edges bent back."""
    u = np.concatenate([[-1], np.linspace(-1, 1, _COLUMNS), [1]])
    v = np.concatenate([[1], np.linspace(1, -1, _ROWS), [-1]])
    x, y = np.meshgrid(u * shape.width / 2, v * shape.height / 2)
    z = np.zeros_like(x)
    z[[0, -1]] = z[:, [0, -1]] = -max(shape.depth, 0.01)
    if kind == "sheet":
        # A held sheet of paper is curved.
        z = z + rng.uniform(-0.14, 0.14) * (u**2)[None, :] + rng.uniform(-0.1, 0.1) * (v**2)[:, None]
    colour, gloss = _PAINT[kind](rng, np.abs(x) / shape.width * 2, y / shape.height * 2, x / shape.width * 2)
    surface = np.stack((x, y, z), -1).astype(np.float32)
    return [Part("object", surface, colour=colour.astype(np.float32), gloss=gloss, double_sided=True)]


def _phone(rng: np.random.Generator, across: np.ndarray, up: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Return colours and gloss of the back of a phone with its lenses."""
    base = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.5), np.exp(rng.uniform(-4, -0.4))))
    colour = np.broadcast_to(base, (*x.shape, 3)).copy()
    lenses = (up > 0.72) & (up < 0.92) & (x < -0.25) & (x > -0.85)
    colour[lenses] = (0.012, 0.012, 0.015)
    return colour, 0.5


def _book(rng: np.random.Generator, across: np.ndarray, up: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Return colours and gloss of a book cover with a picture and title lines."""
    base, second, title = (
        np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.8), np.exp(rng.uniform(-2.5, -0.3))))
        for _ in range(3)
    )
    colour = np.broadcast_to(base, (*x.shape, 3)).copy()
    colour[(across < 0.65) & (up < rng.uniform(-0.2, 0.1)) & (up > -0.75)] = second
    colour[(across < 0.75) & ((np.abs(up - 0.62) < 0.07) | (np.abs(up - 0.36) < 0.05))] = title
    return colour, 0.15


def _paper(rng: np.random.Generator, across: np.ndarray, up: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Return colours and gloss of white or tinted paper with printed lines."""
    base = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.55, 0.85)))
    line = np.arange(x.shape[0])[:, None] % 2 == 0
    print_end = rng.uniform(0.5, 0.85, (x.shape[0], 1))
    printed = line & (x > -0.8) & (x < print_end) & (np.abs(up) < 0.85) & (rng.random() < 0.7)
    return np.where(printed[..., None], 0.55 * base, base), 0.03


_PAINT = {"phone": _phone, "book": _book, "sheet": _paper}


def _cup(rng: np.random.Generator, shape: _Kind) -> list[Part]:
    """Return a cup with its handle."""
    ring = np.linspace(-np.pi, np.pi, 29)[None, :]
    t = np.linspace(0, 1, 11)[:, None]
    taper = 1 - rng.uniform(0, 0.25) * t
    inside = np.concatenate([[[0.55], [0.9]], np.ones((11, 1)) * taper])
    height = np.concatenate([[[-0.5], [-0.02]], -t]) * shape.height + shape.height / 2
    radius = shape.width / 2 * inside
    surface = np.stack(np.broadcast_arrays(radius * np.sin(ring), height, radius * np.cos(ring)), -1)
    base, second = (
        np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.8), np.exp(rng.uniform(-1.8, -0.2))))
        for _ in range(2)
    )
    colour = np.broadcast_to(base, surface.shape).copy()
    colour[:2] *= 0.35
    if rng.random() < 0.5:
        colour[6:9] = second
    side = -1 if rng.random() < 0.5 else 1
    bow = np.linspace(-np.pi / 2, np.pi / 2, 11)[None, :]
    tube = np.linspace(-np.pi, np.pi, 7)[:, None]
    away = 0.24 + 0.05 * np.cos(tube)
    handle = np.stack(
        np.broadcast_arrays(
            side * (0.42 * shape.width + away * np.cos(bow)), away * np.sin(bow) * 1.15, 0.05 * np.sin(tube)
        ),
        -1,
    )
    return [
        Part(
            "object",
            surface.astype(np.float32),
            colour=colour.astype(np.float32),
            gloss=0.5,
            wrap=True,
            double_sided=True,
        ),
        Part("object", handle.astype(np.float32), colour=base.astype(np.float32), gloss=0.5, double_sided=True),
    ]


def _finger(centre: tuple[float, float, float], radii: tuple[float, float, float], skin: np.ndarray) -> Part:
    tint = 0.86 + 0.14 * np.linspace(0, 1, 9)[:, None, None] * np.ones((1, 13, 1))
    colour = (skin * np.array([1.12, 1.02, 1.0]) * tint).astype(np.float32)
    surface = ellipsoid(centre, radii).astype(np.float32)
    return Part("object", surface, colour=colour, gloss=0.2, wrap=True, double_sided=True)


def _fingers(rng: np.random.Generator, shape: _Kind, side: str, skin: np.ndarray) -> list[Part]:
    """Return four fingers that hold a flat object by an edge."""
    along = np.arange(4) * 0.165
    if side == "below":
        edge, start = rng.choice((-1, 1)) * shape.width / 2, rng.uniform(-0.55, -0.05)
        return [_finger((0.94 * edge, start - a, 0.02), (0.19, 0.08, 0.08), skin) for a in along]
    start = rng.uniform(-0.3, 0.0)
    return [_finger((start + a, -0.46 * shape.height, 0.02), (0.08, 0.19, 0.08), skin) for a in along]


def _round_fingers(rng: np.random.Generator, shape: _Kind, skin: np.ndarray) -> list[Part]:
    """Return four fingers around a cup."""
    start = rng.uniform(0.05, 0.25)
    return [_finger((0.0, start - a, 0.40 * shape.width), (0.30, 0.08, 0.10), skin) for a in np.arange(4) * 0.165]
