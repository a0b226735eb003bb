"""Cast shadows of the key light, per vertex: a coarse depth map from the light, softly compared."""

from collections.abc import Sequence

import numpy as np
import torch

from actors.face3d.mesh import Part, assemble
from actors.face3d.rasterizer import rasterize

_MAP = 72  # pixels of the depth map over 4 head units; vertices are about as far apart
_REACH = 2.0  # half extent of the map in head units
_BIAS = 0.07  # head units; less and the coarse casters shade themselves


def visibility(casters: Sequence[Part], points: np.ndarray, direction: tuple[float, float, float]) -> np.ndarray:
    """Return how much of the key light reaches each point (V, 3), 0..1, past every second vertex of the casters."""
    forward = np.array(direction, np.float32)
    side = np.cross(np.array([0.0, 1.0, 0.0] if abs(forward[1]) < 0.95 else [0.0, 0.0, 1.0]), forward)
    side /= np.linalg.norm(side)
    frame = np.stack((side, np.cross(forward, side), forward)).astype(np.float32)

    def project(p: np.ndarray) -> np.ndarray:
        q = p @ frame.T
        return np.stack((q[:, 0] / _REACH, (-q[:, 1] - 0.1) / _REACH, 8.0 - q[:, 2]), 1).astype(np.float32)

    coarse = assemble([Part(c.name, np.ascontiguousarray(c.grid[::2, ::2])) for c in casters])
    fragments = rasterize(torch.from_numpy(project(coarse.verts))[None], torch.from_numpy(coarse.faces), _MAP, _MAP)
    depth = fragments.zbuf[0, :, :, 0].numpy()
    depth = np.where(depth < 0, np.float32(99), depth)
    q = project(points)
    col, row = (q[:, 0] + 1) * (_MAP / 2) - 0.5, (q[:, 1] + 1) * (_MAP / 2) - 0.5
    lit = np.zeros(len(points), np.float32)
    for dr, dc, weight in ((0, 0, 0.28), (0, 1, 0.12), (1, 0, 0.12), (0, -1, 0.12), (-1, 0, 0.12),
                           (1, 1, 0.06), (-1, -1, 0.06), (1, -1, 0.06), (-1, 1, 0.06)):  # fmt: skip
        r = np.clip(np.rint(row + dr), 0, _MAP - 1).astype(int)
        c = np.clip(np.rint(col + dc), 0, _MAP - 1).astype(int)
        lit += weight * np.clip(1 - (q[:, 2] - depth[r, c] - _BIAS) / 0.05, 0, 1)
    return lit
