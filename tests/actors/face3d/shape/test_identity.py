"""Identities are pure functions of their seed and spread over the attributes."""

from dataclasses import replace

import numpy as np
import pytest

from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.face3d.render.texture import paint_texture
from synfiqa.actors.face3d.shape.coefficients import AGE_SHIFT, APPEARANCE, LIMIT, SEX_SHIFT, SHAPE
from synfiqa.actors.face3d.shape.head import LIP_ROW, ROWS, column_angles, measure, neutral_grid, row_of
from synfiqa.actors.face3d.shape.identity import APPEARANCE_NAMES, HAIR_COLOURS, HAIR_STYLES, SHAPE_NAMES
from synfiqa.actors.face3d.wear import body


def test_equal_seeds_give_equal_identities():
    a, b = sample_identity(7), sample_identity(7)
    assert a.key == b.key
    assert a.key != sample_identity(8).key


def test_shapes_and_limits():
    for seed in range(40):
        person = sample_identity(seed)
        assert person.shape.shape == (len(SHAPE_NAMES),)
        assert person.appearance.shape == (len(APPEARANCE_NAMES),)
        assert person.shape.dtype == person.appearance.dtype == np.float32
        assert np.abs(person.shape).max() <= LIMIT
        assert person.attributes["hair_style"] in HAIR_STYLES
        assert person.attributes["hair_colour"] in HAIR_COLOURS
        assert 1 <= person.attributes["skin_tone"] <= 10
        assert 18 <= person.attributes["age"] <= 75
        assert 0 <= person.attributes["sex"] <= 1


def test_attributes_are_spread():
    people = [sample_identity(seed).attributes for seed in range(600)]
    assert {p["skin_tone"] for p in people} == set(range(1, 11))
    assert 0.4 < np.mean([p["sex"] > 0.5 for p in people]) < 0.6
    assert 0.08 < np.mean([p["glasses"] for p in people]) < 0.17
    assert {p["hair_style"] for p in people} == set(HAIR_STYLES)


def test_with_attributes():
    person = sample_identity(3).with_attributes(glasses=True)
    assert person.attributes["glasses"] is True
    assert person.without_glasses().attributes["glasses"] is False
    assert person.without_glasses().shape is person.shape
    with pytest.raises(KeyError):
        person.with_attributes(halo=True)


def test_rows_run_down_the_face_without_crossing():
    """When widths and lengths were first raised, nine of these people had a fold between nose and lip."""
    front = np.abs(column_angles()) < 1.2
    for seed in range(400):
        grid = neutral_grid(sample_identity(seed))
        assert grid.shape == (ROWS, len(column_angles()), 3)
        steps = np.diff(grid[row_of("crown") : row_of("chin_bottom"), front, 1], axis=0)
        assert steps.max() < 0.004, seed
        assert np.isfinite(grid).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_features_keep_their_distance_for_all_coefficients(sign):
    rng = np.random.default_rng(0)
    person = sample_identity(3)
    for _ in range(200):
        extreme = sign * LIMIT * rng.choice([-1, 0, 1], len(person.shape)).astype(np.float32)
        m = measure(replace(person, shape=extreme))
        assert m.mouth_y + m.lip_up < m.nose_base - 0.04
        assert m.brow_y - m.brow_thick > m.eye_y + m.eye_up + 0.04


def test_mouth_rows_meet_at_the_mouth():
    person = sample_identity(5)
    m = measure(person)
    grid = neutral_grid(person)
    middle = grid.shape[1] // 2
    assert grid[LIP_ROW, middle, 1] == pytest.approx(m.mouth_y, abs=0.03)
    assert 0.004 < grid[LIP_ROW, middle, 1] - grid[LIP_ROW + 1, middle, 1] < 0.008


def test_skin_tones_are_balanced_by_default():
    tones = [sample_identity(seed).attributes["skin_tone"] for seed in range(2000)]
    counts = np.bincount(tones, minlength=11)[1:]
    assert counts.min() > 150
    assert counts.max() < 250
    light = [sample_identity(seed, (3, 1, 0, 0, 0, 0, 0, 0, 0, 0)).attributes["skin_tone"] for seed in range(200)]
    assert set(light) == {1, 2}
    assert 0.65 < light.count(1) / 200 < 0.85


def test_every_coefficient_is_described_and_shifts_name_existing_ones():
    assert all({**SHAPE, **APPEARANCE}.values())
    assert SEX_SHIFT.keys() | AGE_SHIFT.keys() <= SHAPE.keys()


def test_every_shape_coefficient_changes_the_head_or_what_is_painted_on_it():
    person = sample_identity(5)
    grid = neutral_grid(person)
    texture = paint_texture(person, grid, measure(person))
    for index, name in enumerate(SHAPE_NAMES):
        shape = person.shape.copy()
        shape[index] = 1.9 if shape[index] < 1 else -1.9
        other = replace(person, shape=shape)
        if name.startswith("ear_"):
            ears = [body.ears(p, grid, np.ones(3))[0].grid for p in (person, other)]
            assert np.abs(ears[0] - ears[1]).max() > 0.005, name
            continue
        moved = np.abs(neutral_grid(other) - grid).max()
        painted = np.abs(paint_texture(other, grid, measure(other)) - texture).max() if moved < 0.004 else 0
        assert moved > 0.004 or painted > 0.02, name
