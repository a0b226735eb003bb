"""Every factor's ladder: ten levels, others clean, made as a run makes a sample."""

import numpy as np
import pytest

from benchmarks.quality.face_bars.ladders import ladder_set
from benchmarks.quality.face_bars.ladders.factors import FACTORS, STEPS
from benchmarks.quality.face_bars.ladders.ladder_set import REFERENCE, Faces, joined, ladder_faces
from benchmarks.quality.face_bars.ladders.people import base_recipe, identity_seed, person, references
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.fiqa_train.labels.severities import FLAT_COLUMNS, severities

BY_RECIPE = [factor for factor in FACTORS.values() if factor.command]


@pytest.mark.parametrize("factor", FACTORS.values(), ids=lambda factor: factor.name)
def test_ten_different_levels_in_order(factor):
    assert len(factor.levels) == STEPS
    steps = np.diff(factor.levels)
    assert (steps > 0).all() or (steps < 0).all()
    assert bool(factor.command) != bool(factor.change)


@pytest.mark.parametrize("factor", BY_RECIPE, ids=lambda factor: factor.name)
def test_a_commanded_factor_moves_alone(factor):
    base = base_recipe(0, 3)
    clean = factor.recipe(base, factor.levels[0])
    worst = factor.recipe(base, factor.levels[-1])
    assert type(base).model_validate(worst.model_dump()) == worst  # every level is a lawful recipe
    changed = {name for name in type(base).model_fields if getattr(clean, name) != getattr(worst, name)}
    assert len(changed - {"occluder_coverage"}) == 1
    assert worst.seed == base.seed


def test_the_base_is_a_reference_in_all_but_its_kind():
    base, reference = base_recipe(0, 3), references(0, 3, 5)[-1]
    assert base.kind == "degraded"
    assert (base.downsample, base.blur, base.occluder, base.pose.yaw, base.expression.intensity) == (1, 1, "none", 0, 0)
    assert base.light == reference.light
    assert reference not in references(0, 3)


def test_people_of_the_bars_have_a_seed_path_of_their_own():
    from synfiqa.schemas.seeds import derive_seed

    assert identity_seed(0, 5) not in {derive_seed(0, path, "identity", 5) for path in ("bootstrap", "benchmark")}
    assert len({identity_seed(seed, number) for seed in range(3) for number in range(20)}) == 60


@pytest.fixture(scope="module")
def faces():
    chosen = [FACTORS[name] for name in ("blur", "noise", "yaw")]
    renderer = HeadRenderer(supersample=1)
    return ladder_faces(person(0, 1), base_recipe(0, 1), references(0, 1, 2), chosen, 1, renderer)


def test_rows_are_references_then_ladders(faces):
    assert faces.factor.tolist() == [REFERENCE] * 2 + ["blur"] * 10 + ["noise"] * 10 + ["yaw"] * 10
    assert faces.images().shape == (32, 112, 112, 3)
    assert set(faces.identity) == {1}
    (yaw,) = faces.ladder("yaw", faces.yaw)
    assert (np.diff(yaw) > 3).all()
    assert yaw[-1] > 70
    (blur,) = faces.ladder("blur", faces.blur)
    assert blur.tolist() == list(FACTORS["blur"].levels)
    assert (faces.blur[faces.factor != "blur"] == 1).all()


def test_the_first_level_is_the_same_face_on_every_ladder(faces):
    first = {name: faces.jpeg[int(np.flatnonzero(faces.factor == name)[0])] for name in ("blur", "noise", "yaw")}
    assert len(set(first.values())) == 1


def test_a_ladder_does_not_depend_on_the_others(faces):
    alone = ladder_faces(
        person(0, 1), base_recipe(0, 1), references(0, 1, 2), [FACTORS["noise"]], 1, HeadRenderer(supersample=1)
    )
    assert alone.jpeg[2:] == faces.jpeg[12:22]


def test_networks_see_the_faces_in_order_whatever_is_decoded_at_once(faces, monkeypatch):
    brightness = faces.images().mean((1, 2, 3))
    monkeypatch.setattr(ladder_set, "_AT_ONCE", 5)
    assert np.array_equal(faces.measured(lambda images: images.mean((1, 2, 3))), brightness)


def test_blur_takes_detail_step_by_step(faces):
    pictures = faces.images()[faces.factor == "blur"].astype(float)
    detail = [np.abs(np.diff(picture, axis=1)).mean() for picture in pictures]
    assert (np.diff(detail) < 0.02).all()
    assert detail[-1] < 0.8 * detail[0]


def test_faces_carry_what_a_run_stores_of_every_factor():
    chosen = [FACTORS[name] for name in ("mask", "noise", "yaw")]
    shown = ladder_faces(person(0, 1), base_recipe(0, 1), references(0, 1, 2), chosen, 1, HeadRenderer(supersample=1))
    assert shown.columns.dtype.names == FLAT_COLUMNS
    harm = severities(shown.columns)
    assert harm["noise"][shown.factor == "noise"].tolist() == list(FACTORS["noise"].levels)
    np.testing.assert_allclose(harm["yaw"], shown.yaw, rtol=1e-6)
    (mouth,) = shown.ladder("mask", harm["covered_mouth"])
    assert mouth[0] == 0
    assert mouth[-1] > 0.9
    assert not harm["covered_mouth"][shown.factor != "mask"].any()


def test_stored_faces_come_back(faces, tmp_path):
    both = joined([faces, faces])
    both.save(tmp_path / "faces.npz")
    again = Faces.load(tmp_path / "faces.npz")
    assert again.jpeg == both.jpeg
    for name in ("identity", "factor", "level", "yaw", "downsample", "blur", "columns"):
        assert np.array_equal(getattr(again, name), getattr(both, name))
    assert again.ladder("yaw", again.level).shape == (2, 10)
