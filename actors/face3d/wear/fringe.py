"""Hair as occluder: loose strands of the identity's own hair over forehead, brows and eyes."""

import cv2
import numpy as np

from synfiqa.actors.face3d.shape.head import COLUMNS, FaceMeasures, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.mesh import Material, Part

_STEPS, _ACROSS = 13, 3
_EXTRA_STRANDS = 17
"""Number of strands added at full coverage."""


def fringe(
    grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float, colour: np.ndarray, grows: bool
) -> list[Part]:
    """Return strands that hang to the brows (coverage 0) or over the eyes to the mouth (1); more at higher coverage.

    `colour` is the linear hair colour. Strands share the scalp's hair texture if it `grows` hair; otherwise they have
    vertex colours.
    """
    highest, lowest = m.brow_y - 0.02, m.mouth_y - 0.04
    usual = 13 if grows else 25
    lean = float(rng.uniform(-0.35, 0.35))
    parted = float(rng.uniform(-0.35, 0.35))
    roots = _roots(usual, rng)
    # Their order does not depend on coverage, so that a higher coverage only lengthens and adds strands.
    shown = usual + round(_EXTRA_STRANDS * coverage)
    surface = _Front(grid)
    parts = []
    for root in roots[:shown]:
        wide = rng.random() < 0.72
        width = rng.uniform(0.04, 0.085) if wide else rng.uniform(0.008, 0.018)
        # Strands are shortest at the parting.
        short = 0.30 * (1 - coverage) * np.exp(-(((root - parted) / 0.14) ** 2))
        full = lowest + rng.normal(0.02, 0.09)
        end = full + (1 - coverage) * (highest - lowest) + short
        sway, stand = rng.normal(lean, 0.10), rng.uniform(0.045, 0.10)
        parts.append(_strand(surface, float(root), (end, full), sway, width, stand, colour, grows, rng))
    return parts


def _roots(usual: int, rng: np.random.Generator) -> np.ndarray:
    """Return the lateral positions of the roots: the usual ones in order, then `_EXTRA_STRANDS` in random order."""
    spread = [np.linspace(-0.58, 0.58, count) for count in (usual, _EXTRA_STRANDS)]
    roots = np.concatenate([spread[0], rng.permutation(spread[1])])
    return np.asarray(roots + rng.uniform(-0.04, 0.04, len(roots)))


class _Front:
    """Height field z(x, y) of the head's front, slightly smoothed, because strands bridge narrow features."""

    def __init__(self, grid: np.ndarray) -> None:
        rows = slice(row_of("crown2"), row_of("under"))
        columns = np.abs(column_angles()) < 1.5
        self._x = np.linspace(-0.75, 0.75, 61, dtype=np.float32)
        table = np.stack([np.interp(self._x, line[:, 0], line[:, 2]) for line in grid[rows, columns]])
        self._z = cv2.GaussianBlur(table.astype(np.float32), (0, 0), 1.6, borderType=cv2.BORDER_REPLICATE)
        self._y = grid[rows, COLUMNS // 2, 1]

    def height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return z at points (K,)."""
        row = np.interp(-y, -self._y, np.arange(len(self._y))).astype(np.float32)
        column = np.interp(x, self._x, np.arange(len(self._x))).astype(np.float32)
        return np.asarray(cv2.remap(self._z, column[:, None], row[:, None], cv2.INTER_LINEAR)[:, 0])


def _strand(
    front: _Front,
    root: float,
    ends: tuple[float, float],
    sway: float,
    width: float,
    stand: float,
    colour: np.ndarray,
    grows: bool,
    rng: np.random.Generator,
) -> Part:
    """Return a strand on the path to the second, lower one of `ends` that stops at the first."""
    end, full = ends
    t = np.linspace(0, 1, _STEPS)
    # On a bald scalp it is combed forward from the crown.
    start = 0.86 - 0.16 * root**2 if grows else 1.0
    y = start + (end - start) * t
    way = np.clip((start - y) / (start - full), 0, None)
    x = root * (1.0 if grows else smoothstep(-0.25, 0.4, way)) + sway * way**1.6
    x = x + 0.02 * np.sin(rng.uniform(0, 6) + 5 * way) * way
    lift = stand * np.sin(np.pi * np.clip(0.18 + 0.62 * t, 0, 1)) + 0.02
    z = front.height(x, y) + lift
    # Hair hangs from its outermost point and does not follow the face back in.
    z = np.maximum(z, np.maximum.accumulate(z) - 0.10 * t)
    half = width / 2 * np.clip((1.03 - t**4), 0, 1) * (1 + 0.12 * np.sin(4 * t + root))
    across = np.linspace(-1, 1, _ACROSS)
    surface = np.empty((_STEPS, _ACROSS, 3), np.float32)
    surface[..., 0] = x[:, None] + half[:, None] * across
    surface[..., 1] = y[:, None]
    surface[..., 2] = z[:, None] + 0.35 * half[:, None] * (1 - across**2)
    gain = float(rng.uniform(0.8, 1.15))
    if not grows:
        shade = gain * (0.75 + 0.25 * (1 - across**2))[None, :, None] * np.ones((_STEPS, 1, 1))
        return Part("fringe", surface, colour=(colour * shade).astype(np.float32), gloss=0.3, double_sided=True)
    middle = float(rng.uniform(-0.8, 0.8))
    u, v = np.meshgrid(middle + 0.04 * across, np.linspace(-0.95, -0.80, _STEPS))
    return Part("fringe", surface, Material.HAIR, uv=np.stack((u, v), -1).astype(np.float32), double_sided=True)
