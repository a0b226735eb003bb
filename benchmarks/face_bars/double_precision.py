"""The rasteriser's contract as a plain double-precision loop over faces: slow, obvious, and what exactness means."""

import numpy as np


def draw(verts: np.ndarray, faces: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest face (H, W) or -1, its depth (H, W) and barycentrics (H, W, 3) of one mesh.

    `verts` (V, 3) are x, y in [-1, 1] of the frame (y down) and distance, `faces` (F, 3). As
    `actors.face3d.rasterizer.rasterize` promises: strict edges, lowest face at ties, back faces drawn.
    """
    found = np.full((height, width), -1)
    depths = np.full((height, width), -1.0)
    weights = np.full((height, width, 3), -1.0)
    nearest = np.full((height, width), np.inf)
    corners = verts.astype(np.float64)[faces]
    for index, (a, b, c) in enumerate(corners):
        area = _edge(c[0], c[1], a, b)
        if not np.isfinite((area, *a, *b, *c)).all() or abs(area) <= 1e-8 or min(a[2], b[2], c[2]) < 1e-8:
            continue
        columns, rows = (_pixels(corners[index, :, axis], count) for axis, count in ((0, width), (1, height)))
        if not len(columns) or not len(rows):
            continue
        x, y = ((2 * columns + 1) / width - 1)[None, :], ((2 * rows + 1) / height - 1)[:, None]
        w = np.stack([_edge(x, y, b, c), _edge(x, y, c, a), _edge(x, y, a, b)], -1) / (area + 1e-8)
        z = w @ np.array([a[2], b[2], c[2]])
        box = np.ix_(rows, columns)
        wins = (w > 0).all(-1) & (z >= 0) & (z < nearest[box])
        if wins.any():
            row, column = np.nonzero(wins)
            place = rows[row], columns[column]
            nearest[place] = depths[place] = z[wins]
            found[place], weights[place] = index, w[wins]
    return found, depths, weights


def _edge(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (x - a[0]) * (b[1] - a[1]) - (y - a[1]) * (b[0] - a[0])


def _pixels(values: np.ndarray, count: int) -> np.ndarray:
    """Return the pixels whose centres may lie between the extremes of the values, one more on each side."""
    places = (np.clip(values, -2, 2) + 1) * (count / 2)
    return np.arange(max(0, int(places.min()) - 1), min(count, int(places.max()) + 2))
