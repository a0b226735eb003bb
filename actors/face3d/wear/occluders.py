"""Occluders that turn with the head: glasses, mask, scarf and hand; `build_occluder` chooses among all kinds."""

import colorsys

import cv2
import numpy as np

from synfiqa.actors.face3d.shape.head import COLUMNS, FaceMeasures, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.mesh import Part
from synfiqa.actors.face3d.wear.body import ellipsoid
from synfiqa.actors.face3d.wear.drape import hijab, hood
from synfiqa.actors.face3d.wear.glare import glare
from synfiqa.actors.face3d.wear.hat import hat
from synfiqa.actors.face3d.wear.headphones import headphones

_RING = np.linspace(-np.pi, np.pi, 33, dtype=np.float32)[None, :]


def _muted(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Return a random cloth colour (linear)."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.6), rng.uniform(low, high)), np.float32)


def _rim(radii: np.ndarray, rx: float, ry: float, power: float, bulge: np.ndarray) -> np.ndarray:
    """Return superellipse rings scaled by radii (R, 1) as a local grid (R, 33, 3)."""
    c, s = np.sin(_RING), np.cos(_RING)
    x = rx * radii * np.sign(c) * np.abs(c) ** power
    y = ry * radii * np.sign(s) * np.abs(s) ** power
    return np.stack((x, y, np.broadcast_to(bulge, x.shape)), -1).astype(np.float32)


def glasses(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, dark: bool, coverage: float) -> list[Part]:
    """Return a frame with temples; sunglasses add opaque lenses that grow with coverage 0..1."""
    near = (np.abs(grid[..., 0]) > 0.14) & (np.abs(grid[..., 0]) < 0.42) & (np.abs(grid[..., 1]) < 0.2)
    plane = float(grid[..., 2][near].max()) + 0.035
    if dark:
        grow = 0.95 + 0.35 * coverage
        rx, ry, thick = 0.24 * grow, 0.185 * grow, 0.024
        power = float(rng.uniform(0.7, 1.0))
        frame = np.full(3, rng.uniform(0.01, 0.05), np.float32)
    else:
        rx, ry, thick = rng.uniform(0.195, 0.225), rng.uniform(0.125, 0.165), rng.uniform(0.018, 0.034)
        power = float(rng.uniform(0.55, 1.0))
        frame = _muted(rng, 0.02, 0.2)
    y0 = m.eye_y + (0.015 if dark else -0.005)
    rx = min(rx, m.eye_x - (0.04 if dark else 0.055))
    parts = []
    inner = 1 - thick / rx
    for side in (-1, 1):
        centre = np.array([side * m.eye_x, y0, plane], np.float32)
        rim = _rim(np.array([[inner], [1.0], [1 + thick / rx]]), rx, ry, power, np.array([[0], [0.015], [0]]))
        wrap_back = np.zeros_like(rim)
        wrap_back[..., 2] = -0.35 * np.maximum(rim[..., 0] * side, 0) ** 2
        parts.append(Part("frame", rim + centre + wrap_back, colour=frame, gloss=0.8, double_sided=True))
        if dark:
            disc = _rim(np.array([[0.03], [0.5], [1.0]]), rx, ry, power, np.array([[0.03], [0.02], [0.0]], np.float32))
            back = np.zeros_like(disc)
            back[..., 2] = -0.35 * np.maximum(disc[..., 0] * side, 0) ** 2
            shade = np.array([0.012, 0.013, 0.016]) + 0.02 * np.linspace(0, 1, 3)[:, None, None] * np.ones((1, 33, 1))
            parts.append(Part("lens", disc + centre + back, colour=shade, gloss=0.3, double_sided=True))
        parts.append(_temple(grid, m, side, rx, y0, plane, frame))
    gap = m.eye_x - rx
    bridge = np.zeros((2, 5, 3), np.float32)
    bridge[..., 0] = np.linspace(-gap - 0.01, gap + 0.01, 5)
    bridge[0, :, 1], bridge[1, :, 1] = y0 + 0.055, y0 + 0.055 - thick
    bridge[..., 1] += 0.02 * np.array([0, 1, 1.3, 1, 0])
    bridge[..., 2] = plane + 0.02 + 0.035 * np.array([0, 1, 1.3, 1, 0])
    parts.append(Part("bridge", bridge, colour=frame, gloss=0.8, double_sided=True))
    return parts


def _temple(
    grid: np.ndarray, m: FaceMeasures, side: int, rx: float, y0: float, plane: float, frame: np.ndarray
) -> Part:
    """Return the arm from the rim to the ear."""
    start = side * (m.eye_x + rx)
    rows = np.abs(grid[..., 1] - y0).min(1) < 0.05
    ear = side * (float(np.abs(grid[rows, :, 0]).max()) + 0.03)
    t = np.linspace(0, 1, 6, dtype=np.float32)
    arm = np.zeros((2, 6, 3), np.float32)
    arm[..., 0] = start + (ear - start) * smoothstep(0, 0.35, t)
    arm[..., 2] = plane - 0.04 - (plane + 0.16) * t
    arm[0, :, 1] = y0 + 0.06
    arm[1, :, 1] = y0 + 0.025
    return Part("temple", arm, colour=frame, gloss=0.5, double_sided=True)


def mask(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a cloth mask from under the chin up to the mouth (coverage 0) or the nose bridge (1), with straps."""
    top_y = (m.mouth_y - 0.08) + coverage * (0.02 - m.mouth_y)
    front = grid[:, COLUMNS // 2, 1]
    rows = np.arange(grid.shape[0], dtype=np.float32)
    top = float(np.interp(-top_y, -front[row_of("brow") : row_of("under")], rows[row_of("brow") : row_of("under")]))
    bottom = row_of("under") - 1.0
    angles = column_angles()
    cols = np.interp(np.linspace(-1.22, 1.22, 33), angles, np.arange(COLUMNS)).astype(np.float32)
    bow = 1 - (np.linspace(-1, 1, 33, dtype=np.float32) ** 2) * 0.35
    t = np.linspace(0, 1, 22, dtype=np.float32)[:, None]
    middle = 0.5 * (top + bottom) + 2
    map_y = middle + (top + (bottom - top) * t - middle) * bow
    map_x = np.broadcast_to(cols, map_y.shape)
    smooth = cv2.GaussianBlur(grid, (0, 0), 3.0, borderType=cv2.BORDER_REPLICATE)
    sheet = cv2.remap(grid, np.ascontiguousarray(map_x), np.ascontiguousarray(map_y), cv2.INTER_LINEAR)
    taut = cv2.remap(smooth, np.ascontiguousarray(map_x), np.ascontiguousarray(map_y), cv2.INTER_LINEAR)
    out = sheet.copy()
    out[..., 2] = np.maximum(taut[..., 2] + 0.02, sheet[..., 2] + 0.035)
    out *= np.array([1.035, 1, 1], np.float32)
    out[-1] += np.array([0, 0, -0.02], np.float32)
    base = _muted(rng, 0.15, 0.8) if rng.random() < 0.5 else np.array([0.35, 0.55, 0.68], np.float32)
    pleats = 1 - 0.14 * (np.sin(t * 2 * np.pi * 3.5) > 0.5)
    colour = base * (pleats * np.ones((1, 33), np.float32))[..., None]
    parts = [Part("mask", out.astype(np.float32), colour=colour.astype(np.float32), gloss=0.05, double_sided=True)]
    thickness = np.array([0, 0.012, 0], np.float32)
    for column, side in ((0, -1), (32, 1)):
        for row, ear_y in ((1, 0.06), (18, -0.32)):
            start, end = out[row, column], np.array([side * 0.76, ear_y, -0.12], np.float32)
            line = start + (end - start) * np.linspace(0, 1, 5, dtype=np.float32)[:, None]
            line[:, 0] += side * 0.05 * np.sin(np.pi * np.linspace(0, 1, 5))
            strap = np.stack((line + thickness, line - thickness), 0).astype(np.float32)
            parts.append(Part("strap", strap, colour=base, double_sided=True))
    return parts


def scarf(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a thick scarf round neck and lower face, up to the chin (coverage 0) or over the nose (1)."""
    rows, columns = 14, 41
    top = (m.chin_y + 0.04) + coverage * (-0.26 - m.chin_y)
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    theta = np.linspace(-np.pi, np.pi, columns, dtype=np.float32)[None, :]
    folds = rng.standard_normal((1, 7)).astype(np.float32)
    folds = np.asarray(cv2.resize(folds, (columns, 1), interpolation=cv2.INTER_CUBIC), np.float32)
    folds[:, -1] = folds[:, 0]
    y = top + (-1.95 - top) * t + 0.06 * folds * (1 - t) - 0.30 * (1 - np.cos(theta)) * 0.5 * (1 - t) * coverage
    bulge = np.sin(np.pi * np.clip(t, 0.04, 0.96)) ** 0.5
    ripple = 0.032 * np.sin(t * 19 + 2.2 * np.sin(theta) + float(rng.uniform(0, 6)))
    reach = 0.93 + 0.36 * smoothstep(0.1, 0.75, np.array(coverage)) * (1 - 0.5 * t)
    half_width = float(np.abs(grid[..., 0]).max())
    x = np.sin(theta) * (half_width + 0.02 + 0.06 * bulge + ripple)
    z = -0.10 + np.cos(theta) * np.where(np.cos(theta) > 0, reach + ripple, 0.85) * (0.88 + 0.12 * bulge)
    surface = np.stack(np.broadcast_arrays(x, y, z), -1).astype(np.float32)
    base, second = _muted(rng, 0.1, 0.7), _muted(rng, 0.1, 0.7)
    weave = (np.sin(t * 26 + 2.2 * np.sin(theta)) > 0.4)[..., None] * (rng.random() < 0.6)
    colour = np.where(weave, second, base) * (0.8 + 0.2 * bulge)[..., None]
    return [Part("scarf", surface, colour=colour.astype(np.float32), gloss=0.02, double_sided=True, wrap=True)]


def hand(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float, skin: np.ndarray) -> list[Part]:
    """Return a raised hand in front of the lower and middle face; it grows and rises with coverage 0..1."""
    scale = 0.72 + 0.42 * coverage
    angle = float(rng.uniform(-0.6, 0.6))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    target = np.array([0.28 * np.sin(angle), m.mouth_y - 0.35 + 0.42 * coverage, 0.0], np.float32)
    plane = float(grid[..., 2].max()) + 0.07
    pieces: list[tuple[tuple[float, float, float], tuple[float, float, float], float]] = [
        ((0.0, -0.18, 0.0), (0.31, 0.36, 0.10), 0.0),
        ((0.0, -1.2, 0.05), (0.21, 0.95, 0.15), 0.0),
        ((0.37, -0.10, -0.02), (0.085, 0.30, 0.085), -0.6),
    ]
    spread = float(rng.uniform(0.6, 1.3))
    lengths = (0.31, 0.36, 0.34, 0.27)
    pieces += [
        ((-0.235 + 0.157 * i, 0.30 + 0.4 * (length - 0.3), -0.02), (0.078, length, 0.078), spread * (1.5 - i) * 0.09)
        for i, length in enumerate(reversed(lengths))
    ]
    parts = []
    for centre, radii, lean in pieces:
        shape = ellipsoid((0, 0, 0), radii)
        c, s = np.cos(lean), np.sin(lean)
        x, y = shape[..., 0] * c - shape[..., 1] * s, shape[..., 0] * s + shape[..., 1] * c
        local = np.stack((x, y, shape[..., 2]), -1) + np.array(centre, np.float32)
        local = local * np.float32(scale) * (mirror, 1, 1)
        c, s = np.cos(-angle), np.sin(-angle)
        x, y = local[..., 0] * c - local[..., 1] * s, local[..., 0] * s + local[..., 1] * c
        bend = -0.16 * np.square(y)
        surface = np.stack((x, y, local[..., 2] + plane + np.clip(bend, -0.3, 0)), -1) + target
        tint = 0.88 + 0.12 * np.linspace(0, 1, 9)[:, None, None] * np.ones((1, 13, 1))
        colour = skin * np.array([1.12, 1.02, 1.0]) * tint
        parts.append(Part("hand", surface.astype(np.float32), colour=colour, gloss=0.2, wrap=True, double_sided=True))
    return parts


def build_occluder(
    kind: str,
    grid: np.ndarray,
    m: FaceMeasures,
    rng: np.random.Generator,
    coverage: float,
    skin: np.ndarray,
    over_hair: np.ndarray | None = None,
) -> list[Part]:
    """Return the parts of an occluder kind over the expressed, unrotated head grid; "none" gives no parts.

    `over_hair` (ROWS,) is the height of hair above the ears by row of the head, over which headphones lie.
    """
    if kind == "glasses":
        return glasses(grid, m, rng, False, coverage)
    if kind == "sunglasses":
        return glasses(grid, m, rng, True, coverage)
    if kind == "mask":
        return mask(grid, m, rng, coverage)
    if kind == "scarf":
        return scarf(grid, m, rng, coverage)
    if kind == "hand":
        return hand(grid, m, rng, coverage, skin)
    if kind == "hat":
        return hat(grid, m, rng, coverage)
    if kind == "hijab":
        return hijab(grid, m, rng, coverage)
    if kind == "hood":
        return hood(grid, m, rng, coverage)
    if kind == "headphones":
        return headphones(grid, rng, coverage, np.zeros(len(grid)) if over_hair is None else over_hair)
    if kind == "glare":
        frame = glasses(grid, m, rng, False, coverage)
        return frame + glare(frame, rng, coverage)
    return []
