"""Expression units are independent, teeth are visible only behind parted lips, eyes follow the gaze."""

import numpy as np
import pytest

from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face3d.shape.expression import UNITS, expressed_grid, expression_basis, lid_level
from synfiqa.actors.face3d.shape.head import COLUMNS, LIP_ROW, measure, neutral_grid
from synfiqa.actors.face3d.shape.mouth import lip_gap, mouth_parts
from synfiqa.schemas.recipe import Expression, Gaze, Recipe

PERSON = sample_identity(21).with_attributes(beard="none", hair_style="buzz", glasses=False, skin_tone=3)
MEASURES, GRID = measure(PERSON), neutral_grid(PERSON)
BASIS = expression_basis(GRID, MEASURES)


def shown(expression):
    return mouth_parts(GRID, expressed_grid(GRID, BASIS, expression), MEASURES)


def test_every_unit_of_a_recipe_moves_the_surface_or_the_lids():
    assert {*UNITS, "eyes_closed"} == set(Expression.model_fields)
    assert len(BASIS) == len(UNITS) >= 8


def test_no_unit_is_a_mixture_of_the_others():
    moves = BASIS.reshape(len(UNITS), -1).astype(float)
    moves /= np.linalg.norm(moves, axis=1, keepdims=True)
    for index in range(len(UNITS)):
        others = np.delete(moves, index, 0)
        weights, *_ = np.linalg.lstsq(others.T, moves[index], rcond=None)
        assert np.linalg.norm(moves[index] - weights @ others) > 0.4, UNITS[index]


def test_units_do_not_move_the_back_of_the_head():
    assert np.abs(BASIS[:, : LIP_ROW - 3, COLUMNS - 8 :]).max() < 0.005


@pytest.mark.parametrize("unit", ["brow_raise", "frown", "pucker", "lips_pressed", "corners_down", "squint"])
def test_closed_lips_show_no_teeth(unit):
    assert shown(Expression(**{unit: 1})) == []


def test_an_open_mouth_shows_cavity_teeth_and_tongue_behind_the_lips():
    grid = expressed_grid(GRID, BASIS, Expression(mouth_open=0.8))
    parts = mouth_parts(GRID, grid, MEASURES)
    assert len(parts) == 4
    lips = grid[[LIP_ROW, LIP_ROW + 1], COLUMNS // 2, 2].max()
    assert max(part.grid[..., 2].max() for part in parts) < lips
    gap = lip_gap(MEASURES, grid)
    assert 4 <= gap.sum() <= 20
    assert not gap[: COLUMNS // 4].any()


def test_lids_close_on_command_and_follow_a_low_gaze():
    assert lid_level(Expression(), Gaze()) == 0
    assert lid_level(Expression(eyes_closed=1, smile=1), Gaze(pitch=-20)) == 1
    assert 0 < lid_level(Expression(), Gaze(pitch=-20)) < lid_level(Expression(squint=1), Gaze(pitch=-20)) <= 0.6


@pytest.mark.parametrize(("gaze", "axis"), [(Gaze(yaw=30), 0), (Gaze(pitch=20), 1)])
def test_the_iris_follows_the_gaze(gaze, axis):
    recipes = [Recipe(kind="reference", seed=5, gaze=g) for g in (Gaze(), gaze)]
    out = HeadRenderer(supersample=2).render(PERSON, recipes, 160)
    x, y = out.landmarks[0, 0]
    window = out.images[:, int(y) - 4 : int(y) + 5, int(x) - 7 : int(x) + 8].astype(float).mean(-1)
    dark = np.clip(110 - window, 0, None) + 1e-6
    along = np.arange(window.shape[2 - axis]).reshape((1, 1, -1) if axis == 0 else (1, -1, 1))
    centre = (dark * along).sum((1, 2)) / dark.sum((1, 2))
    moved = centre[1] - centre[0]
    assert moved > 0.5 if axis == 0 else moved < -0.2
