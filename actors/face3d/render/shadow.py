"""Computes shadows per vertex from depth maps: cast shadows of the key light, and ambient occlusion."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch

from synfiqa.actors.face3d.render.rasterizer import depth_maps
from synfiqa.actors.face3d.shape.mesh import Part, surface

_MAP = 72  # pixels of the depth map over 4 head units; vertices are about as far apart
_REACH = 2.0  # half extent of the map in head units
_SKY_REACH = 1.5  # the same for ambient occlusion, which is computed for the head alone
_SKY_BIAS = 0.035
_SKY = np.array(
    [(0, 1, 0.25), (0, 0.55, 0.85), (0, 0, 1), (0.75, 0.6, 0.3), (-0.75, 0.6, 0.3), (0.8, 0.1, 0.6), (-0.8, 0.1, 0.6),
     (0.45, -0.4, 0.8), (-0.45, -0.4, 0.8)],
    np.float32,
)  # fmt: skip
_SKY /= np.linalg.norm(_SKY, axis=1, keepdims=True)
_BIAS = 0.07  # head units; with less the coarse casters shade themselves
_SOFTNESS = 0.05  # head units behind a caster over which its shadow sets in
_TAPS = (
    (1, 1, 0.28), (1, 2, 0.12), (2, 1, 0.12), (1, 0, 0.12), (0, 1, 0.12),
    (2, 2, 0.06), (0, 0, 0.06), (2, 0, 0.06), (0, 2, 0.06),
)  # fmt: skip
"""Row, column and weight of the map pixels sampled for a point, around the middle (1, 1)."""


def visibility(casters: Sequence[Part], points: np.ndarray, direction: tuple[float, float, float]) -> np.ndarray:
    """Return the unblocked share 0..1 of the key light at each point (V, 3), by every second vertex of the casters."""
    frame = _frame(direction)
    verts, faces = surface([Part(c.name, c.grid[::2, ::2]) for c in casters])
    screen = torch.from_numpy(_project(verts, frame))[None]
    depth = depth_maps(screen, torch.from_numpy(faces), _MAP, _MAP, cull_backfaces=True)[0].numpy()
    q = _project(points, frame)
    col, row = (q[:, 0] + 1) * (_MAP / 2) - 0.5, (q[:, 1] + 1) * (_MAP / 2) - 0.5
    padded = np.pad(depth, 1, mode="edge").ravel()
    width = _MAP + 2
    at = np.rint(np.clip(row, 0, _MAP - 1)).astype(np.intp) * width
    at += np.rint(np.clip(col, 0, _MAP - 1)).astype(np.intp)
    onset = q[:, 2] - _BIAS  # casters nearer than this begin to shade the point
    unlit = np.zeros(len(points), np.float32)
    for dr, dc, weight in _TAPS:
        shade = padded.take(at + (dr * width + dc))
        np.subtract(onset, shade, out=shade)
        np.clip(shade, 0, _SOFTNESS, out=shade)
        shade *= np.float32(weight / _SOFTNESS)
        unlit += shade
    return 1 - unlit


def sky_share(casters: Sequence[Part], points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return the visible share 0..1 of a bright upper sky at each point (V, 3): ambient occlusion by the casters."""
    verts, faces = surface(casters)
    directions = _SKY
    frames = [_frame((float(x), float(y), float(z))) for x, y, z in directions]
    screens = torch.from_numpy(np.stack([_project(verts, frame, _SKY_REACH) for frame in frames]))
    depths = depth_maps(screens, torch.from_numpy(faces), _MAP, _MAP, cull_backfaces=True).numpy()
    depths = np.minimum(depths, np.float32(99))  # infinity cannot be interpolated
    total, seen = np.full(len(points), 1e-6, np.float32), np.zeros(len(points), np.float32)
    for direction, frame, depth in zip(directions, frames, depths, strict=True):
        weight = np.maximum(normals @ direction, 0.0) * (1 + 0.5 * direction[1])
        q = _project(points, frame, _SKY_REACH)
        col, row = (q[:, 0] + 1) * (_MAP / 2) - 0.5, (q[:, 1] + 1) * (_MAP / 2) - 0.5
        nearest = cv2.remap(depth, col[:, None], row[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
        total += weight
        seen += weight * np.clip(1 - (q[:, 2] - nearest - _SKY_BIAS) / 0.05, 0, 1)
    return seen / total


@lru_cache(maxsize=64)
def _frame(direction: tuple[float, float, float]) -> np.ndarray:
    """Return the rows right, up and towards the light (3, 3) of a light's view."""
    forward = np.array(direction, np.float32)
    side = _cross(np.array([0.0, 1.0, 0.0] if abs(forward[1]) < 0.95 else [0.0, 0.0, 1.0]), forward)
    side /= np.linalg.norm(side)
    return np.stack((side, _cross(forward, side), forward)).astype(np.float32)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # numpy's own takes ten times as long for two vectors.
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _project(points: np.ndarray, frame: np.ndarray, reach: float = _REACH) -> np.ndarray:
    q = points @ frame.T
    return np.stack((q[:, 0] / reach, (-q[:, 1] - 0.1) / reach, 8.0 - q[:, 2]), 1).astype(np.float32)
