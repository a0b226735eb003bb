"""Painted details of the skin that `generate.people` adds: single age lines, freckles and moles."""

import cv2
import numpy as np

from synfiqa.actors.face3d.paint.canvas import Canvas, dot, noise
from synfiqa.actors.face3d.shape.head import FaceMeasures, bump, smoothstep
from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.schemas.seeds import derive_seed, generator

_DARK = (0.60, 0.47, 0.44)  # of the bottom of a line, relative to the skin
_LINE_REACH = 12.0  # widths of a line beyond which its valley and rim are too weak to change a bit
_FRECKLE, _MOLE = (0.66, 0.50, 0.40), (0.38, 0.27, 0.23)


def paint_details(c: Canvas, identity: Identity, m: FaceMeasures) -> None:
    """Paint lines, freckles and moles as the identity's added attributes state; none where it has none."""
    depth = float(identity.attributes.get("lines", 0.0))
    if depth > 0.02:
        rng = _stream(identity, "lines")
        _forehead(c, identity, m, depth, rng)
        for side in (-1, 1):
            _around_eye(c, identity, m, side, depth, rng)
            _around_mouth(c, identity, m, side, depth, rng)
    freckled = float(identity.attributes.get("freckled", 0.0))
    if freckled:
        _freckles(c, m, freckled, _stream(identity, "freckles"))
    _moles(c, m, int(identity.attributes.get("more_moles", 0)), _stream(identity, "moles"))


def _stream(identity: Identity, name: str) -> np.random.Generator:
    return generator(derive_seed(identity.seed, "face3d", "skin details", name))


def _line(c: Canvas, across: np.ndarray, along: np.ndarray, width: float, depth: float) -> None:
    """Shade one line: `across` is the distance from it, `along` 0..1 its course, which fades out at both ends.

    A crease has a soft dark valley with a thin core and a rim that catches light.
    """
    ends = smoothstep(0.0, 0.35, along) * smoothstep(1.0, 0.65, along)
    core, valley = dot(across / width), dot(across / (2.6 * width))
    c.shade(np.clip(depth * ends * (0.55 * core + 0.30 * valley), 0, 0.75), _DARK)
    c.shade(0.35 * depth * ends * dot((across + 2.2 * width) / (1.5 * width)), 1.12)


def _forehead(c: Canvas, identity: Identity, m: FaceMeasures, depth: float, rng: np.random.Generator) -> None:
    own = float(np.clip(0.75 + 0.3 * identity.a("lines_brow") + 0.15 * rng.standard_normal(), 0.1, 1.4))
    count = int(np.clip(round(1.2 + 3.0 * depth * own), 0, 4))
    heights = m.brow_y + 0.13 + np.arange(count) * rng.uniform(0.075, 0.095)
    wobble = 0.012 * noise(rng, (3, 7), c.x.shape)
    reach = 0.08 + float(np.abs(wobble).max()) + _LINE_REACH * 0.011
    for height in heights:
        middle, half = rng.normal(0, 0.05), rng.uniform(0.22, 0.40)
        bend, wave = rng.uniform(-0.02, 0.05), rng.uniform(0.0, 0.012)
        where = c.around((middle - half, middle + half), (height - reach, height + reach))
        p = c.part(where)
        level = (
            height + bend * (1 - ((p.x - middle) / 0.3) ** 2).clip(-1, 1) + wave * np.cos(9 * p.x + rng.uniform(0, 6))
        )
        along = (p.x - middle + half) / (2 * half)
        _line(p, p.y - level - wobble[where], along, 0.011, depth * own * rng.uniform(0.5, 0.9))


def _around_eye(
    c: Canvas, identity: Identity, m: FaceMeasures, side: int, depth: float, rng: np.random.Generator
) -> None:
    """Paint crow's feet and the fold under the bag."""
    own = float(np.clip(0.7 + 0.3 * identity.a("lines_eye") + 0.12 * rng.standard_normal(), 0.1, 1.3))
    corner = (m.eye_x + m.eye_w + 0.03, m.eye_y - 0.005)
    p = c.near(side * corner[0], corner[1], 0.25, 0.25)  # farther than a line is long, with half its reach
    u, v = p.x * side - corner[0], p.y - corner[1]
    for angle in (0.5, 0.08, -0.42):
        turn, length = angle + 0.1 * rng.standard_normal(), rng.uniform(0.10, 0.17)
        along = (u * np.cos(turn) + v * np.sin(turn)) / length
        across = v * np.cos(turn) - u * np.sin(turn) + 0.10 * np.sign(angle) * (along * length) ** 2 * 3
        _line(p, across, along, 0.010, depth * own * rng.uniform(0.45, 0.75))
    own_bag = float(np.clip(0.6 + 0.3 * identity.a("bags"), 0.1, 1.2))
    low = m.eye_y - m.eye_low - 0.065
    p = c.near(side * m.eye_x, low - 0.0225, 0.135, 0.0225 + _LINE_REACH * 0.013)
    along = (p.x * side - m.eye_x + 0.13) / 0.26
    arc = low - 0.045 * np.sin(np.pi * np.clip(along, 0, 1))
    _line(p, p.y - arc, along, 0.013, 0.7 * depth * own_bag)


def _around_mouth(
    c: Canvas, identity: Identity, m: FaceMeasures, side: int, depth: float, rng: np.random.Generator
) -> None:
    """Paint the nasolabial fold and the line from the corner of the mouth to the chin."""
    own = float(np.clip(0.8 + 0.3 * identity.a("lines_nose") + 0.12 * rng.standard_normal(), 0.15, 1.4))
    top, low = m.nose_base + 0.10, m.mouth_y - 0.02 - 0.05 * rng.random()
    p = c.part(c.around((-1.0, 0.1) if side < 0 else (-0.1, 1.0), (low, top)))
    dx, t = p.x * side, (top - p.y) / (top - low)
    path = m.nose_w + 0.03 + (m.mouth_w + 0.075 - m.nose_w - 0.03) * np.clip(t, 0, 1) ** 0.85
    _line(p, dx - path, t, 0.016, depth * own * 0.85)
    cheek = dot((dx - path - 0.06) / 0.05) * smoothstep(0, 0.3, t) * smoothstep(1, 0.7, t)
    p.shade(0.25 * depth * own * cheek, 1.08)  # the cheek bulges over its fold
    if depth * own > 0.35:
        start, beside = m.mouth_y - 0.01, m.mouth_w + 0.06
        p = c.near(side * beside, start - 0.12, 0.03 + _LINE_REACH * 0.014, 0.125)
        t = (start - p.y) / 0.24
        path = m.mouth_w + 0.035 + 0.05 * np.clip(t, 0, 1)
        _line(p, p.x * side - path, t, 0.014, 0.6 * depth * own)


def _freckles(c: Canvas, m: FaceMeasures, strength: float, rng: np.random.Generator) -> None:
    """Paint single freckles over nose and cheeks, fewer on the forehead."""
    zone = bump(np.abs(c.x), c.y, 0.26, m.eye_y - 0.27, 0.22, 0.13) + 0.9 * bump(
        c.x, c.y, 0, m.nose_tip + 0.15, 0.12, 0.12
    )
    zone = zone + 0.22 * bump(c.x, c.y, 0, m.brow_y + 0.22, 0.4, 0.12) + 0.08 * (c.y > m.mouth_y)
    zone = zone * smoothstep(0.15, 0.5, c.z) * _bare(c, m)
    weight = (zone / zone.sum()).ravel()
    for count, size in ((int(140 + 320 * strength), 0.5), (int(20 + 50 * strength), 0.75)):
        spots = np.zeros(c.x.size, np.float32)
        at = rng.choice(c.x.size, count, p=weight / weight.sum())
        spots[at] = rng.uniform(0.35, 1.0, count)
        soft = cv2.GaussianBlur(spots.reshape(c.x.shape), (0, 0), size, borderType=cv2.BORDER_REPLICATE)
        c.shade(np.clip(soft * (2 * np.pi * size**2) * 0.34 * (0.6 + 0.4 * strength), 0, 0.6), _FRECKLE)


def _moles(c: Canvas, m: FaceMeasures, count: int, rng: np.random.Generator) -> None:
    if not count:
        return
    bare = _bare(c, m)
    for _ in range(count):
        x, y = rng.uniform(-0.55, 0.55), rng.uniform(m.chin_y + 0.1, 0.55)
        size, dark = rng.uniform(0.010, 0.020), rng.uniform(0.35, 0.8)
        where = c.around((x - 7 * size, x + 7 * size), (y - 7 * size, y + 7 * size))
        p = c.part(where)
        p.shade(dark * bump(p.x, p.y, x, y, size, size) * bare[where], _MOLE)


def _bare(c: Canvas, m: FaceMeasures) -> np.ndarray:
    """Return 1 on skin, 0 on eyes, lips and nostrils."""
    eyes = bump(np.abs(c.x), c.y, m.eye_x, m.eye_y, 0.5 * m.eye_w + 0.04, 0.07)
    lips = bump(c.x, c.y, 0, m.mouth_y, 0.6 * m.mouth_w, 0.08)
    return np.asarray(1 - np.clip(1.8 * (eyes + lips), 0, 1))
