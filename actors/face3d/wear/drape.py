"""Cloth round the whole head with an opening for the face: the hijab, and the hood of a pullover."""

from dataclasses import dataclass

import cv2
import numpy as np

from synfiqa.actors.face3d.paint.canvas import noise
from synfiqa.actors.face3d.shape.head import COLUMNS, FaceMeasures, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.mesh import Part
from synfiqa.actors.face3d.wear.body import cloth

_AXIS = -0.12  # z of the vertical axis round which the cloth hangs
_END = -2.15  # height at which the cloth ends on the shoulders
_ACROSS = 61


@dataclass(frozen=True)
class _Opening:
    """The opening: heights of its ends, largest angle from the nose, and how square it is (2 = an ellipse)."""

    top: float
    bottom: float
    angle: float
    square: float

    def edge(self, y: np.ndarray) -> np.ndarray:
        """Return the angle of the edge at heights y; 0 above and below the opening."""
        middle, half = 0.5 * (self.top + self.bottom), 0.5 * (self.top - self.bottom)
        along = np.clip(np.abs(y - middle) / half, 0, 1)
        return self.angle * np.sqrt(1 - along**self.square)


@dataclass(frozen=True)
class _Cloth:
    """Distance from the head at the edge and elsewhere, depth of the folds, and the gap below the chin."""

    at_edge: float
    off: float
    folds: float
    loose: float


def hijab_edge(m: FaceMeasures, coverage: float) -> float:
    """Return the height of a hijab's edge on the forehead at a coverage 0..1."""
    return 0.60 + coverage * (m.brow_y + 0.03 - 0.60)


def hijab(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a headscarf: the face free from hairline to chin (coverage 0), or from the brows to the lips (1)."""
    chin = _chin(grid)
    low = chin[0] + 0.02 + coverage * max(0.0, m.mouth_y - m.lip_low - 0.10 - chin[0])
    opening = _Opening(hijab_edge(m, coverage), low, 1.16 - 0.34 * coverage, 2.3)
    colour = cloth(rng)
    return [_draped("hijab", grid, opening, _Cloth(0.038, 0.075, 0.020, 0.05), chin, colour, rng)]


def hood(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a hood: its edge at the hairline (coverage 0), or in front of brows and cheeks (1)."""
    chin = _chin(grid)
    top = 0.72 + coverage * (m.brow_y + 0.04 - 0.72)
    opening = _Opening(top, -1.75, 1.30 - 0.62 * coverage, 5.0)
    colour = cloth(rng)
    reach = 0.15 + 0.09 * coverage
    return [_draped("hood", grid, opening, _Cloth(reach, 0.20, 0.026, 0.10), chin, colour, rng)]


def _chin(grid: np.ndarray) -> tuple[float, float]:
    """Return the height of the underside of the chin, and its largest distance from the axis."""
    middle = grid[row_of("mental") : row_of("under"), COLUMNS // 2]
    return float(grid[row_of("chin_bottom"), COLUMNS // 2, 1]), float(middle[:, 2].max() - _AXIS)


def _draped(
    name: str,
    grid: np.ndarray,
    opening: _Opening,
    made: _Cloth,
    chin: tuple[float, float],
    colour: np.ndarray,
    rng: np.random.Generator,
) -> Part:
    """Return the cloth as one surface from the crown to the shoulders, round the back from edge to edge."""
    crown = row_of("hairline")
    y, radius, sideways = _profile(grid, opening, crown)
    turn = np.linspace(0, 1, _ACROSS, dtype=np.float32)[None, :]
    edge = opening.edge(y)[:, None]
    theta = edge + (2 * np.pi - 2 * edge) * turn
    wrapped = np.where(theta > np.pi, theta - 2 * np.pi, theta)
    columns = np.interp(wrapped, column_angles(), np.arange(COLUMNS)).astype(np.float32)
    lines = np.broadcast_to(np.arange(len(y), dtype=np.float32)[:, None], columns.shape)
    lines = np.ascontiguousarray(lines)
    r = np.asarray(cv2.remap(radius.astype(np.float32), columns, lines, cv2.INTER_LINEAR))
    bearing = np.asarray(cv2.remap(sideways.astype(np.float32), columns, lines, cv2.INTER_LINEAR))
    height = np.broadcast_to(y[:, None], r.shape)

    front = np.abs(wrapped)
    beyond = np.maximum(np.maximum(height - opening.top, opening.bottom - height), 0)
    beside = np.hypot(beyond, 0.8 * (front - edge))
    r = _hanging(r, height, front, chin, made)
    off = made.at_edge + (made.off - made.at_edge) * smoothstep(0.0, 0.22, beside)
    # Folds run along the edge near the face and fall in long waves below it.
    wave = noise(rng, (5, 9), r.shape)
    along_edge = np.sin(26 * beside + 1.6 * wave + float(rng.uniform(0, 6))) * smoothstep(0.05, 0.16, beside)
    falling = noise(rng, (3, 17), r.shape) * smoothstep(0.3, -0.9, height)
    fold = 0.35 * along_edge * smoothstep(0.9, 0.35, beside) + falling
    # Below the chin both edges meet in one seam.
    seam = 0.5 * smoothstep(0.12, 0.0, np.minimum(turn, 1 - turn)) * (edge == 0)
    fold = fold + seam * (fold[:, ::-1] - fold)
    pole = smoothstep(1.0, float(crown) / 2, np.arange(len(y), dtype=np.float32))[:, None]
    r = r + (off + made.folds * fold) * pole
    x = np.sin(bearing) * r
    z = _AXIS + np.cos(bearing) * r
    lift = made.off * (1 - 0.3 * pole) * smoothstep(0.55, 0.95, height)
    surface = np.stack((x, height + lift, z), -1).astype(np.float32)
    shade = 0.86 + 0.14 * np.clip(fold, -1, 1) - 0.22 * smoothstep(0.05, 0.0, beside)
    return Part(name, surface, colour=(colour * shade[..., None]).astype(np.float32), gloss=0.02, double_sided=True)


def _profile(grid: np.ndarray, opening: _Opening, crown: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heights (L,), and by height and column the head's distance from the axis and the bearing of its points.

    The first `crown` rows are those of the head; below, heights are densest at the ends of the opening.
    """
    away = grid[..., [0, 2]] - np.array([0.0, _AXIS], np.float32)
    radius, bearing = np.linalg.norm(away, axis=-1), np.arctan2(away[..., 0], away[..., 1])
    start = float(grid[crown, :, 1].mean())
    top, bottom = min(opening.top, start - 0.02), opening.bottom
    inside = 0.5 * (top + bottom) + 0.5 * (top - bottom) * np.cos(np.linspace(0, np.pi, 27))
    levels = np.concatenate([np.linspace(start, top, 4)[:-1], inside, np.linspace(bottom, _END, 11)[1:]])
    last = row_of("neck3")
    below = np.empty((2, len(levels), COLUMNS), np.float32)
    for column in range(COLUMNS):
        order = np.argsort(grid[crown:last, column, 1])
        heights = grid[crown:last, column, 1][order]
        for field, out in ((radius, below[0]), (bearing, below[1])):
            out[:, column] = np.interp(levels, heights, field[crown:last, column][order])
    below[1] = column_angles()[None, :]
    y = np.concatenate([grid[:crown, :, 1].mean(1), levels])
    return y, np.concatenate([radius[:crown], below[0]]), _bearings(bearing[:crown], below[1])


def _bearings(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return bearings of all heights; those at the seam behind are +-pi and must not be averaged."""
    above = above.copy()
    above[:, 0], above[:, -1] = -np.pi, np.pi
    return np.concatenate([above, below])


def _hanging(r: np.ndarray, height: np.ndarray, front: np.ndarray, at: tuple[float, float], made: _Cloth) -> np.ndarray:
    """Return distances from the axis as cloth hangs: it does not follow the head back in, and closes at the neck."""
    chin, reach = at
    straight = np.maximum.accumulate(r, axis=0)
    beside = smoothstep(0.75, 1.3, front)
    r = r + beside * (straight - r)
    # Behind, it falls in towards the nape; beside, it lies on the shoulders; in front, on neck and chest.
    r = r * (1 - 0.10 * smoothstep(1.4, 2.4, front) * smoothstep(-0.3, -1.2, height))
    neck = np.interp(
        -height,
        [-chin, -chin + 0.14, 1.40, 1.55, -_END],
        [reach, 0.64, 0.56, 0.60, 0.95],
    )
    shoulder = np.interp(-height, [-chin - 0.4, 1.3, 1.5, -_END], [0.78, 0.70, 0.74, 1.45])
    across = smoothstep(0.25, 1.25, front)
    low = neck + made.loose + across * (shoulder - neck)
    closing = smoothstep(chin, chin - 0.12, height) * smoothstep(2.3, 1.3, front)
    return np.asarray(r + closing * (low - r))
