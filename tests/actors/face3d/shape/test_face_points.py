"""The 68 points of the head: their order, their places, and how they follow expression and pose."""

import numpy as np
import pytest

from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.face3d.shape.expression import expressed_grid, expression_basis
from synfiqa.actors.face3d.shape.face_points import POINTS, UPPER_LIDS, face_points
from synfiqa.actors.face3d.shape.head import measure, neutral_grid
from synfiqa.schemas.recipe import Expression, Pose, Recipe

SEEDS = (3, 11, 25)
PIXEL = 0.0125  # head units that a pixel of a portrait of 128 shows


def head(seed):
    identity = sample_identity(seed)
    return neutral_grid(identity), measure(identity)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_points_stand_in_the_order_of_the_mark_up(seed):
    grid, m = head(seed)
    x, y, z = face_points(grid, m).on(grid, 0.0).T
    assert len(x) == POINTS
    assert (np.diff(x[:17]) > 0).all(), "the jaw runs from image-left to image-right"
    assert y[:17].argmin() == 8, "over the chin"
    assert (np.diff(x[17:27]) > 0).all(), "so do the brows"
    assert (np.diff(y[27:31]) < 0).all(), "the bridge runs down"
    assert z.argmax() == 30, "to the tip"
    assert (np.diff(x[31:36]) > 0).all()
    for first in (36, 42):
        assert x[first] < x[first + 3], "an eye begins at its corner on the image-left"
        assert (y[[first + 1, first + 2]] > y[[first + 5, first + 4]]).all(), "upper lid first"
    assert (np.diff(x[48:55]) > 0).all()
    assert (np.diff(x[54:60]) < 0).all(), "and back under the lower lip"
    assert y[51] > y[62] > y[66] > y[57], "the inner outline of the lips lies inside the outer one"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_points_lie_where_the_features_are_painted(seed):
    grid, m = head(seed)
    points = face_points(grid, m).on(grid, 0.0)
    outer_corner = (-m.eye_x - m.eye_w, m.eye_y - m.eye_asym + m.eye_tilt * m.eye_w)
    assert points[36, :2] == pytest.approx(outer_corner, abs=0.1 * PIXEL)
    assert points[17, 0] == pytest.approx(-m.brow_out, abs=0.1 * PIXEL)
    assert points[57, :2] == pytest.approx((0, m.mouth_y - m.lip_low), abs=0.5 * PIXEL)


def test_lids_sink_onto_the_lower_ones_and_nothing_else_moves():
    grid, m = head(3)
    points = face_points(grid, m)
    opened, shut = points.on(grid, 0.0), points.on(grid, 1.0)
    assert shut[list(UPPER_LIDS)] == pytest.approx(opened[[41, 40, 47, 46]], abs=1e-6)
    others = [n for n in range(POINTS) if n not in UPPER_LIDS]
    assert (shut[others] == opened[others]).all()


def test_the_lips_part_when_the_mouth_opens():
    grid, m = head(3)
    points = face_points(grid, m)
    wide = points.on(expressed_grid(grid, expression_basis(grid, m), Expression(mouth_open=1)), 0.0)
    closed = points.on(grid, 0.0)
    assert closed[62, 1] - closed[66, 1] < PIXEL
    assert wide[62, 1] - wide[66, 1] > 10 * PIXEL
    assert closed[8, 1] - wide[8, 1] > 5 * PIXEL, "the chin sinks"


def test_renders_carry_them_in_pixels_beside_the_five_landmarks(renderer):
    recipes = [Recipe(kind="reference", seed=1, pose=Pose(yaw=yaw, roll=10)) for yaw in (0, 40)]
    made = renderer.render(sample_identity(11), recipes, 96)
    assert made.face_points.shape == (2, 68, 2)
    assert made.face_points.dtype == np.float32
    points = made.face_points
    five = np.stack(
        [points[:, 36:42].mean(1), points[:, 42:48].mean(1), points[:, 30], points[:, 48], points[:, 54]], 1
    )
    assert np.linalg.norm(five - made.landmarks, axis=2).max() < 1.2
    assert ((points > 0) & (points < 95)).all()
