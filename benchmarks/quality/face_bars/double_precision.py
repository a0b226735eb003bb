"""Reference rasteriser: a plain double-precision loop over faces, with the contract of the fast one."""

import numpy as np


def draw(verts: np.ndarray, faces: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest face (H, W) or -1, its depth (H, W) and barycentrics (H, W, 3) of one mesh.

    `verts` (V, 3) are x, y in [-1, 1] of the frame (y down) and distance, `faces` (F, 3). As with
    `synfiqa.actors.face3d.render.rasterizer.rasterize`: strict edges, lowest face at ties, back faces drawn.
    """
    found = np.full((height, width), -1)
    depths = np.full((height, width), -1.0)
    weights = np.full((height, width, 3), -1.0)
    nearest = np.full((height, width), np.inf)
    xs, ys = (2 * np.arange(width) + 1) / width - 1, (2 * np.arange(height) + 1) / height - 1
    corners = verts.astype(np.float64)[faces]
    left, right = _pixels(corners[..., 0], width)
    top, bottom = _pixels(corners[..., 1], height)
    area = _edge(corners[:, 2, 0], corners[:, 2, 1], corners[:, 0].T, corners[:, 1].T)
    valid = np.isfinite(corners).all((1, 2)) & (np.abs(area) > 1e-8) & (corners[..., 2].min(1) >= 1e-8)
    for index in np.flatnonzero(valid & (right >= left) & (bottom >= top)):
        a, b, c = corners[index]
        rows, columns = slice(top[index], bottom[index] + 1), slice(left[index], right[index] + 1)
        x, y = xs[None, columns], ys[rows, None]
        w = np.stack([_edge(x, y, b, c), _edge(x, y, c, a), _edge(x, y, a, b)], -1) / (area[index] + 1e-8)
        z = w @ corners[index, :, 2]
        wins = (w > 0).all(-1) & (z >= 0) & (z < nearest[rows, columns])
        nearest[rows, columns][wins] = depths[rows, columns][wins] = z[wins]
        found[rows, columns][wins], weights[rows, columns][wins] = index, w[wins]
    return found, depths, weights


def _edge(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (x - a[0]) * (b[1] - a[1]) - (y - a[1]) * (b[0] - a[0])


def _pixels(coordinates: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last pixel whose centre may lie between the extremes of each face's coordinates (F, 3)."""
    scaled = (np.clip(np.nan_to_num(coordinates), -2, 2) + 1) * (count / 2) - 0.5
    first, last = np.ceil(scaled.min(1) - 1e-6), np.floor(scaled.max(1) + 1e-6)
    return np.clip(first, 0, count).astype(int), np.clip(last, -1, count - 1).astype(int)
