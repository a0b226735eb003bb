"""The reference that the rasteriser is held against, on triangles whose pixels are known."""

import numpy as np
import pytest

from benchmarks.quality.face_bars import double_precision


def draw(triangles, height, width):
    verts = np.array(triangles, float).reshape(-1, 3)
    return double_precision.draw(verts, np.arange(len(verts)).reshape(-1, 3), height, width)


def around(x, y, radius, z):
    return [[x - 2 * radius, y - radius, z], [x, y + 2.5 * radius, z], [x + 2 * radius, y - radius, z]]


def slow(triangles, height, width):
    """Every pixel asks every face."""
    found = np.full((height, width), -1)
    for row, column in np.ndindex(height, width):
        x, y, nearest = (2 * column + 1) / width - 1, (2 * row + 1) / height - 1, np.inf
        for index, corners in enumerate(np.array(triangles, float)):
            area = np.linalg.det(np.column_stack([corners[:, :2], np.ones(3)]))
            if abs(area) <= 1e-8 or corners[:, 2].min() < 1e-8:
                continue
            weights = np.linalg.solve(np.vstack([corners[:, :2].T, np.ones(3)]), [x, y, 1])
            if (weights > 1e-12).all() and 0 <= weights @ corners[:, 2] < nearest:
                found[row, column], nearest = index, weights @ corners[:, 2]
    return found


def test_one_pixel_centre():
    found, depth, weights = draw([around(11 / 8 - 1, 3 / 4 - 1, 0.02, 2.0)], 4, 8)
    assert (found >= 0).sum() == 1
    assert found[1, 5] == 0
    assert depth[1, 5] == pytest.approx(2.0, rel=1e-4)
    assert weights[1, 5].sum() == pytest.approx(1, rel=1e-4)
    assert (depth[found < 0] == -1).all()
    assert (weights[found < 0] == -1).all()


def test_edges_are_strict_and_ties_go_to_the_lowest_face():
    assert (draw([[[-0.75, -0.75, 1], [0.75, -0.75, 1], [-0.75, 0.75, 1]]], 4, 4)[0] >= 0).sum() == 1
    assert set(draw([around(0, 0, 0.3, 1.0)] * 3, 16, 16)[0].ravel()) == {-1, 0}


def test_faces_behind_the_camera_thin_or_not_finite_are_skipped():
    behind, line, bad = (np.array(around(0, 0, 0.4, 1.0)) for _ in range(3))
    behind[0, 2] = -1
    line[:, 1] = 0
    bad[0, 0] = np.nan
    assert (draw([behind, line, bad], 16, 16)[0] == -1).all()


def test_agrees_with_a_loop_over_pixels():
    rng = np.random.default_rng(4)
    triangles = rng.uniform(-1.2, 1.2, (25, 1, 3)) * (1, 1, 0.3) + (0, 0, 1) + rng.normal(0, 0.3, (25, 3, 3))
    found, _, _ = draw(triangles, 14, 19)
    assert np.array_equal(found, slow(triangles, 14, 19))
    assert len(np.unique(found)) > 10
