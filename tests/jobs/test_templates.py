import numpy as np
import pytest
import torch

from actors.face_model.camera import rotations
from actors.face_model.parameters import FaceParameters
from actors.face_model.sh_light import unevenness
from actors.parametric_bank import template_of
from actors.pose import euler_angles
from actors.template_bank import TemplateBank, conditions_of
from cluster.errors import JobFailed, UserError
from jobs.templates import bank_of_candidates, run_templates
from schemas.config import DegradedSection
from schemas.recipe import Expression, Light, Pose, Recipe


def angles(templates):
    head = conditions_of(templates).pose[:, :3].double()
    return euler_angles(rotations(head).numpy())


def test_a_bank_is_the_same_for_equal_arguments_and_grows_at_its_end(tmp_path):
    for name, seed, degraded in (("a", 1, 20), ("b", 1, 20), ("more", 1, 40), ("other", 2, 20)):
        run_templates(tmp_path / name, seed=seed, degraded=degraded)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    first, more, other = (TemplateBank.load(tmp_path / name) for name in ("a", "more", "other"))
    for index in range(20):
        np.testing.assert_array_equal(first.degradations[index].light, more.degradations[index].light)
    assert not np.array_equal(first.degradations[0].light, other.degradations[0].light)


def test_references_are_frontal_neutral_and_evenly_lit_and_degraded_templates_are_not(tmp_path):
    bank = run_templates(tmp_path / "bank.json", references=10, degraded=400, distribution=DegradedSection(yaw_std=30))
    assert np.abs(angles(bank.references)).max() < 4.1
    turned = angles(bank.degradations)
    assert 24 < turned[:, 0].std() < 36
    assert abs(turned[:, 0].mean()) < 6
    reference, degraded = conditions_of(bank.references), conditions_of(bank.degradations)
    assert reference.expression.norm(dim=1).max() < 0.3
    assert degraded.expression.norm(dim=1).quantile(0.9) > 1.5
    assert unevenness(reference.light).mean() < 0.5 * unevenness(degraded.light).quantile(0.9)
    assert bank.expression_size == 50
    for shown in (reference, degraded):
        corners = torch.tensor([[0.0, 0, 1], [223, 223, 1]]) @ shown.tform
        assert corners[:, :, :2].amin() > -150
        assert corners[:, :, :2].amax() < 512 + 150


def test_angles_are_those_of_the_recipe(tmp_path):
    recipe = Recipe(kind="degraded", seed=4, pose=Pose(yaw=40, pitch=-15, roll=10))
    found = template_of(recipe, "t", "flame")
    np.testing.assert_allclose(angles([found])[0], [40, -15, 10], atol=1e-3)
    assert found.tags == {"yaw": 40, "pitch": -15, "roll": 10, "expression": 0}


def test_procedural_expressions_are_the_recipes_units_and_the_jaw():
    recipe = Recipe(kind="degraded", seed=4, expression=Expression(mouth_open=0.5, smile=0.25))
    found = template_of(recipe, "t", "procedural")
    assert found.expression.tolist() == [0, 0.25, 0, 0, 0]
    assert found.pose[3] == pytest.approx(0.175)


def test_a_bank_needs_both_kinds(tmp_path):
    with pytest.raises(UserError, match="not 10 and 0"):
        run_templates(tmp_path / "bank.json", degraded=0)
    assert not (tmp_path / "bank.json").exists()


def measured(count):
    light = torch.zeros(count, 9, 3)
    light[:, 0] = 3.0
    return FaceParameters(
        shape=torch.zeros(count, 100),
        texture=torch.zeros(count, 50),
        expression=torch.zeros(count, 50),
        pose=torch.zeros(count, 6),
        camera=torch.arange(count).float()[:, None].repeat(1, 3),
        light=light,
        tform=torch.eye(3).repeat(count, 1, 1),
    )


def test_the_most_frontal_neutral_and_even_candidates_become_references():
    faces = measured(6)
    yaw = [3.0, -2.0, 45.0, 1.0, 4.0, -9.0]
    faces.expression[1] = 5.0
    faces.light[4, 1] = 4.0
    bank = bank_of_candidates(faces, yaw, references=2, source="rejected")
    # Candidate 1 smiles, 4 is lit from the side, 2 looks away, 5 looks furthest aside of the rest.
    assert [item.token for item in bank.references] == ["candidate-0000000", "candidate-0000003"]
    assert [int(item.camera[0]) for item in bank.degradations] == [1, 2, 4, 5]
    assert bank.degradations[1].tags == {"abs_yaw": 45.0}


def test_what_is_not_finite_is_left_out():
    faces = measured(5)
    faces.pose[0] = torch.nan
    bank = bank_of_candidates(faces, [0, 1, 2, 3, np.nan], references=2)
    assert [int(item.camera[0]) for item in (*bank.references, *bank.degradations)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("yaw", "complaint"), [([30.0, 1.0], "only 1 candidates look ahead"), ([1.0, 2.0], "none|no candidate")]
)
def test_too_few_candidates_are_told(yaw, complaint):
    with pytest.raises(JobFailed, match=complaint):
        bank_of_candidates(measured(2), yaw, references=2)


def test_a_bank_of_candidates_can_be_saved(tmp_path):
    bank_of_candidates(measured(4), [1, 2, 3, 4], references=2).save(tmp_path / "bank.json")
    assert len(TemplateBank.load(tmp_path / "bank.json").degradations) == 2


def test_harsh_light_from_aside_is_uneven():
    aside, even = (
        template_of(Recipe(kind="degraded", seed=1, light=light), "t", "flame")
        for light in (Light(azimuth=90, harshness=1.0), Light())
    )
    lights = conditions_of([aside, even]).light
    assert unevenness(lights)[0] > 2 * unevenness(lights)[1]
