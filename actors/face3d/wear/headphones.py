"""Headphones: a band over the crown and a cup on each ear."""

import numpy as np

from synfiqa.actors.face3d.shape.head import COLUMNS, column_angles, row_of
from synfiqa.actors.face3d.shape.mesh import Part
from synfiqa.actors.face3d.wear.body import cloth, ellipsoid

_EAR = (-0.13, -0.18)  # height and z of the ears
_STEPS = 25


def headphones(grid: np.ndarray, rng: np.random.Generator, coverage: float, over_hair: np.ndarray) -> list[Part]:
    """Return headphones: cups as large as the ears (coverage 0), or reaching over cheek and temple (1).

    `over_hair` (ROWS,) is the height of hair above the ears by row of the head, head units.
    """
    shell = cloth(rng) if rng.random() < 0.5 else np.full(3, rng.choice((0.02, 0.6)), np.float32)
    cushion = np.full(3, 0.03, np.float32)
    tall, wide, thick = 0.33 + 0.15 * coverage, 0.25 + 0.20 * coverage, 0.12 + 0.06 * coverage
    outline = _outline(grid, over_hair)
    half = float(outline[-1, 0]) - 0.03
    parts = [_band(outline, 0.055 + 0.05 * coverage, shell)]
    for side in (-1, 1):
        at = (side * half, _EAR[0], _EAR[1] + 0.35 * (wide - 0.25))
        pad = ellipsoid(at, (0.10, tall, wide), 13, 25)
        cup = ellipsoid((at[0] + side * 0.07, at[1], at[2]), (thick, 0.88 * tall, 0.88 * wide), 13, 25)
        parts.append(Part("headphones", pad, colour=cushion, gloss=0.1, wrap=True, double_sided=True))
        parts.append(Part("headphones", cup, colour=shell, gloss=0.5, wrap=True, double_sided=True))
    return parts


def _outline(grid: np.ndarray, over_hair: np.ndarray) -> np.ndarray:
    """Return x and y (_STEPS, 2) of the inner side of the band, from the middle of the crown to an ear."""
    column = int(np.argmin(np.abs(column_angles() - np.pi / 2)))
    rows = slice(0, row_of("eye") + 3)
    line = grid[rows, column, :2].copy()
    middle = grid[rows, COLUMNS // 2, 1].max()
    line[0] = (0.0, max(middle, line[:, 1].max()))
    step = np.gradient(line, axis=0)
    outward = np.stack((-step[:, 1], step[:, 0]), 1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    outward[0] = (0.0, 1.0)
    line = line + outward * (0.025 + np.minimum(over_hair[rows], 0.2))[:, None]
    line[:, 0] = np.maximum.accumulate(line[:, 0])  # a band springs outwards
    line[:, 1] = np.minimum.accumulate(line[:, 1])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], _STEPS)
    return np.stack([np.interp(at, length, line[:, axis]) for axis in (0, 1)], 1)


def _band(outline: np.ndarray, width: float, colour: np.ndarray) -> Part:
    """Return the band as a flat tube over the crown, from ear to ear."""
    half = np.concatenate([outline[::-1] * (-1, 1), outline[1:]])
    step = np.gradient(half, axis=0)
    outward = np.stack((-step[:, 1], step[:, 0]), 1) / np.linalg.norm(step, axis=1, keepdims=True)
    across = np.array([0, 1, 1, 0, 0], np.float32)  # inner and outer side of the section, closed
    along = np.array([-1, -1, 1, 1, -1], np.float32)
    place = half[:, None] + outward[:, None] * (0.05 * across)[None, :, None]
    share = np.clip((half[:, 1] - _EAR[0]) / (half[:, 1].max() - _EAR[0]), 0, 1)
    z = _EAR[1] + 0.10 * share[:, None] + width * along[None]
    grid = np.concatenate([place, z[..., None]], -1).astype(np.float32)
    return Part("headphones", grid, colour=0.8 * colour, gloss=0.3, double_sided=True)
