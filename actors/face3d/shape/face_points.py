"""Places the 68 points of the iBUG 300-W mark-up (Sagonas et al. 2013) on the procedural head.

| points | place |
|---|---|
| 0-16 | jaw from the image-left ear at eye level over the chin (8) to the image-right ear |
| 17-21, 22-26 | image-left brow from its outer end, image-right brow to its outer end, along the middle of the hair |
| 27-30, 31-35 | bridge of the nose down to its tip (30), underside from the image-left wing over the middle (33) |
| 36-41, 42-47 | eyes: image-left one from its outer, image-right one from its inner corner, upper lid first |
| 48-59, 60-67 | outer and inner outline of the lips, from the image-left corner over the upper lip |

The points are fixed to the skin and move with pose and expression; those of the jaw do not slide along the visible
outline when the head turns, and points that face away keep their true projection, as in 3-D mark-ups.
"""

from dataclasses import dataclass

import numpy as np

from synfiqa.actors.face3d.shape.head import (
    COLUMNS,
    LIP_ROW,
    ROWS,
    FaceMeasures,
    column_angles,
    mouth_line,
    row_of,
)

POINTS = 68
"""Number of points of the mark-up."""

UPPER_LIDS = (37, 38, 43, 44)
"""Points of the upper lids, which sink onto the lower ones when eyes close."""

_JAW_ANGLE = 1.42  # of the jaw's upper ends: just before the ear, where a frontal face has its outline
_STEPS = 4  # Newton steps of the search for a place; more change no hundredth of a pixel
_LID_AT = 0.4  # of half the eye's width, on both sides of its middle
_OUTER_LIP = (-1.0, -0.6, -0.22, 0.0, 0.22, 0.6, 1.0)  # of half the mouth's width
_LOWER_LIP = (0.65, 0.3, 0.0, -0.3, -0.65)
_INNER_LIP = (-0.88, -0.35, 0.0, 0.35, 0.88)


@dataclass(frozen=True)
class FacePoints:
    """Fractional (row, column) on the head grid of the 68 points, float32 (68, 2), with open and with closed eyes."""

    open: np.ndarray
    closed: np.ndarray

    def on(self, grid: np.ndarray, lid: float) -> np.ndarray:
        """Return the points (68, 3) on a posed grid, upper lids down by `lid` 0..1."""
        shut = sample_grid(grid, self.closed)
        return sample_grid(grid, self.open) * (1 - lid) + shut * lid


def face_points(grid: np.ndarray, m: FaceMeasures) -> FacePoints:
    """Return the places of the 68 points on the neutral head grid (ROWS, COLUMNS, 3)."""
    opened = np.zeros((POINTS, 2))
    opened[:17] = _jaw(grid)
    opened[17:48] = _places(grid, np.concatenate([_brows(m), _nose(grid, m), *_eyes(m)]))
    mouth = _places(grid, _outer_lips(m))
    # The corners lie on the strip between the lips, as the corners of the five landmarks do.
    mouth[[0, 6]] = [(LIP_ROW + 0.5, _lip_column(grid, m, at)) for at in (-1.0, 1.0)]
    opened[48:60] = mouth
    opened[60:68] = _inner_lips(grid, m)
    closed = opened.copy()
    lower = [41, 40, 47, 46]
    closed[list(UPPER_LIDS)] = opened[lower]
    return FacePoints(opened.astype(np.float32), closed.astype(np.float32))


def sample_grid(grid: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the surface points (K, 3) at fractional (row, column) positions (K, 2)."""
    r0 = np.clip(where[:, 0].astype(int), 0, ROWS - 2)
    c0 = np.clip(where[:, 1].astype(int), 0, COLUMNS - 2)
    fr, fc = (where[:, 0] - r0)[:, None], (where[:, 1] - c0)[:, None]
    top = grid[r0, c0] * (1 - fc) + grid[r0, c0 + 1] * fc
    bottom = grid[r0 + 1, c0] * (1 - fc) + grid[r0 + 1, c0 + 1] * fc
    return top * (1 - fr) + bottom * fr


def _places(grid: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return fractional (row, column) (K, 2) where the front of the grid has the given x, y (K, 2)."""
    first, last = row_of("forehead"), row_of("chin_bottom")
    front = np.flatnonzero(np.cos(column_angles()) > 0.2)
    window = grid[first : last + 1, front[0] : front[-1] + 1]
    x, y = (window[None, ..., axis] - targets[:, axis, None, None] for axis in (0, 1))
    nearest = (x**2 + y**2).reshape(len(targets), -1).argmin(1)
    where = np.stack(np.unravel_index(nearest, window.shape[:2]), 1).astype(np.float64)
    where += (first, front[0])
    for _ in range(_STEPS):
        r0 = np.clip(where[:, 0].astype(int), 0, ROWS - 2)
        c0 = np.clip(where[:, 1].astype(int), 0, COLUMNS - 2)
        fr, fc = (where[:, 0] - r0)[:, None], (where[:, 1] - c0)[:, None]
        a, b, c, d = (grid[r0 + i, c0 + j, :2] for i in (0, 1) for j in (0, 1))
        top, bottom = a * (1 - fc) + b * fc, c * (1 - fc) + d * fc
        jacobian = np.stack((bottom - top, (b - a) * (1 - fr) + (d - c) * fr), 2) + 1e-6 * np.eye(2)
        missing = targets - (top * (1 - fr) + bottom * fr)
        where += np.clip(np.linalg.solve(jacobian, missing[..., None])[..., 0], -1, 1)
        where = np.clip(where, (first, 0), (last, COLUMNS - 1))
    return where


def _jaw(grid: np.ndarray) -> np.ndarray:
    """Return (17, 2) places at equal distances along the line from ear to ear below the chin."""
    ear = float(np.interp(_JAW_ANGLE, column_angles(), np.arange(COLUMNS)))
    middle, chin = COLUMNS // 2, row_of("chin_bottom")
    down = np.arange(row_of("eye"), chin + 1, dtype=np.float64)
    along = np.linspace(ear, middle, 33)
    half = np.concatenate(
        [np.stack((down, np.full(len(down), ear)), 1), np.stack((np.full(32, float(chin)), along[1:]), 1)]
    )
    steps = np.linalg.norm(np.diff(sample_grid(grid, half), axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, length[-1], 9)
    right = np.stack([np.interp(wanted, length, half[:, axis]) for axis in (0, 1)], 1)
    left = right[:8] * (1, -1) + (0, 2 * middle)
    return np.concatenate([left, right[::-1]])


def _brows(m: FaceMeasures) -> np.ndarray:
    """Return x, y (10, 2) along the middle of the brows' hair (see `paint.features.paint_brows`)."""
    u = np.linspace(1, 0, 5)
    rise = m.brow_tilt * (u - 0.3) * 0.5 + m.brow_arch * (np.sin(np.pi * (u * 0.85 + 0.05)) - 0.55) * 1.2
    x = m.brow_in + u * (m.brow_out - m.brow_in)
    left, right = (np.stack((side * x, m.brow_y + side * m.brow_asym + rise), 1) for side in (-1, 1))
    return np.concatenate([left, right[::-1]])


def _nose(grid: np.ndarray, m: FaceMeasures) -> np.ndarray:
    """Return x, y (9, 2) of bridge, tip and underside."""
    rows = slice(row_of("cheek"), row_of("subnasal") + 1)
    depth = grid[rows, :, 2]
    tip = grid[rows][np.unravel_index(int(depth.argmax()), depth.shape)][:2]
    t = np.arange(3) / 3
    y = m.nose_top + t * (tip[1] - m.nose_top)
    bridge = np.stack((m.crook * np.exp(-(((t - 0.6) / 0.4) ** 2)), y), 1)
    across = np.array([-0.88, -0.46, 0.0, 0.46, 0.88]) * m.nose_w
    under = np.stack((across, m.nose_base + np.array([0.03, 0.0, -0.012, 0.0, 0.03])), 1)
    return np.concatenate([bridge, tip[None], under])


def _eyes(m: FaceMeasures) -> tuple[np.ndarray, np.ndarray]:
    """Return x, y (6, 2) of each eye's corners and lids (see `paint.features.paint_eyes`)."""
    upper = m.eye_up * (1 - _LID_AT**2) ** 0.7
    lower = -m.eye_low * (1 - _LID_AT**2) ** 0.9
    across = np.array([1, _LID_AT, -_LID_AT, -1, -_LID_AT, _LID_AT]) * m.eye_w  # outwards, from the outer corner
    up = np.array([0, upper, upper, 0, lower, lower])
    left, right = (
        np.stack((side * (m.eye_x + across), m.eye_y + side * m.eye_asym + m.eye_tilt * across + up), 1)
        for side in (-1, 1)
    )
    # The image-right eye begins at its inner corner.
    return left, right[[3, 2, 1, 0, 5, 4]]


def _outer_lips(m: FaceMeasures) -> np.ndarray:
    """Return x, y (12, 2) of the lips' outer outline (see `paint.features.paint_mouth`)."""
    upper, lower = np.array(_OUTER_LIP), np.array(_LOWER_LIP)
    bow = 1 - 0.26 * np.exp(-((upper / 0.16) ** 2))
    top = m.lip_up * bow * (1 - upper**2) ** 0.75
    bottom = -m.lip_low * (1 - lower**2) ** 0.62
    t = np.concatenate([upper, lower])
    return np.stack((t * m.mouth_w, m.mouth_y + mouth_line(m, t * m.mouth_w) + np.concatenate([top, bottom])), 1)


def _inner_lips(grid: np.ndarray, m: FaceMeasures) -> list[tuple[float, float]]:
    """Return places (8, 2) on the edges of the strip between the lips, which part when the mouth opens."""
    columns = [_lip_column(grid, m, at) for at in _INNER_LIP]
    rows = [LIP_ROW + 0.5, *[float(LIP_ROW)] * 3, LIP_ROW + 0.5]
    lower = [(float(LIP_ROW + 1), column) for column in columns[3:0:-1]]
    return [*zip(rows, columns, strict=True), *lower]


def _lip_column(grid: np.ndarray, m: FaceMeasures, at: float) -> float:
    middle = COLUMNS // 2
    near = slice(middle - 20, middle + 21)
    return float(np.interp(at * m.mouth_w, grid[LIP_ROW, near, 0], np.arange(COLUMNS)[near]))
