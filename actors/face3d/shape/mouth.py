"""Builds the inside of an open mouth: cavity, both rows of teeth and tongue, behind the parted lips."""

import numpy as np

from synfiqa.actors.face3d.shape.head import COLUMNS, LIP_ROW, FaceMeasures, smoothstep
from synfiqa.actors.face3d.shape.mesh import Part

_TEETH = 33  # columns of a row of teeth: ten teeth of three columns and their gaps
_LOWER_TEETH = 0.06  # drop of the lower lip above which the lower teeth are visible, head units
_CAVITY = (0.045, 0.010, 0.009)  # linear
_GUM = (0.42, 0.16, 0.15)


def lip_gap(m: FaceMeasures, grid: np.ndarray) -> np.ndarray:
    """Return bool (COLUMNS - 1,): the quads of the strip between the lips that an open mouth leaves out."""
    x = np.abs(grid[LIP_ROW, :, 0])
    between = (x < 0.97 * m.mouth_w) & (grid[LIP_ROW, :, 2] > 0.2)
    return np.asarray(between[:-1] & between[1:])


def mouth_parts(neutral: np.ndarray, grid: np.ndarray, m: FaceMeasures) -> list[Part]:
    """Return the inside of the mouth for the expressed, unrotated head grid; no parts for closed lips."""
    middle = COLUMNS // 2
    parted = float(grid[LIP_ROW, middle, 1] - grid[LIP_ROW + 1, middle, 1])
    if parted < 0.016:
        return []
    inner = np.abs(grid[LIP_ROW, :, 0]) < 1.05 * m.mouth_w
    inner &= grid[LIP_ROW, :, 2] > 0.2
    columns = np.flatnonzero(inner)
    upper, lower = grid[LIP_ROW, columns], grid[LIP_ROW + 1, columns]
    drop = float(neutral[LIP_ROW + 1, middle, 1] - grid[LIP_ROW + 1, middle, 1])
    # Pursed lips cover the outer teeth.
    width = min(0.86 * m.mouth_w, 0.8 * float(np.abs(upper[:, 0]).max()))
    return [_cavity(upper, lower), *_teeth(neutral, width, drop), _tongue(upper, lower, width)]


def _cavity(upper: np.ndarray, lower: np.ndarray) -> Part:
    """Return a dark bowl from lip to lip."""
    t = np.linspace(0, 1, 7, dtype=np.float32)[:, None, None]
    depth = np.sqrt(np.maximum(np.sin(np.pi * t), 0))
    bowl = upper + (lower - upper) * t + np.array([0, 0.05, 0], np.float32) * (1 - 2 * t) * depth
    bowl[..., 2] += (-0.24 * depth - 0.012)[..., 0]
    colour = np.array(_CAVITY, np.float32) * (1.6 - depth * np.ones_like(bowl))
    return Part("mouth", bowl.astype(np.float32), colour=colour.astype(np.float32), gloss=0.1, double_sided=True)


def _teeth(neutral: np.ndarray, width: float, drop: float) -> list[Part]:
    """Return the upper row, fixed to the skull, and the lower one, which sinks with the jaw."""
    lip = neutral[LIP_ROW, COLUMNS // 2]
    s = np.linspace(-1, 1, _TEETH, dtype=np.float32)[None, :]
    t = np.linspace(0, 1, 4, dtype=np.float32)[:, None]
    gap = np.abs((np.arange(_TEETH) % 3) - 1.0)[None, :] * (np.abs(s) > 0.02)  # the middle column is the front gap
    side = 0.62 + 0.38 * smoothstep(1.0, 0.4, np.abs(s))
    parts = []
    rows = [(0.075, -0.022, 0.0, 1.0)]
    if drop > _LOWER_TEETH:
        rows.append((-0.012, -0.075, drop, 0.82))
    for top, bottom, sink, dim in rows:
        x = width * np.sin(s * 1.35) / np.sin(1.35) * np.ones_like(t)
        y = lip[1] - sink * 0.92 + top + (bottom - top) * t + 0.022 * s**2
        z = lip[2] - 0.042 - 0.12 * s**2 + 0.012 * np.sin(np.pi * t) - (0.02 + 0.42 * sink if sink else 0.0)
        grid = np.stack(np.broadcast_arrays(x, y, z), -1).astype(np.float32)
        edge = (t < 0.3 if sink == 0 else t > 0.7) * 1.0  # the gum
        white = np.array([0.60, 0.56, 0.48], np.float32) * (side * dim * (1 - 0.22 * (gap > 0.5)))[..., None]
        colour = white + edge[..., None] * (np.array(_GUM, np.float32) * dim - white)
        parts.append(Part("mouth", grid, colour=colour.astype(np.float32), gloss=0.5, double_sided=True))
    return parts


def _tongue(upper: np.ndarray, lower: np.ndarray, width: float) -> Part:
    """Return a low mound behind the lower teeth."""
    middle = len(lower) // 2
    s = np.linspace(-1, 1, 13, dtype=np.float32)[None, :]
    t = np.linspace(0, 1, 5, dtype=np.float32)[:, None]
    gap = float(upper[middle, 1] - lower[middle, 1])
    x = 0.72 * width * s * (0.75 + 0.25 * t)
    y = lower[middle, 1] + 0.42 * gap * (1 - 0.6 * t) * (1 - 0.6 * s**2) - 0.012 * np.exp(-((s / 0.12) ** 2)) - 0.05 * t
    z = lower[middle, 2] - 0.15 + 0.075 * t - 0.05 * s**2
    grid = np.stack(np.broadcast_arrays(x, y, z), -1).astype(np.float32)
    shade = (0.55 + 0.45 * t) * (1 - 0.25 * s**2)
    colour = np.array([0.36, 0.11, 0.10], np.float32) * shade[..., None]
    return Part("mouth", grid, colour=colour.astype(np.float32), gloss=0.6, double_sided=True)
