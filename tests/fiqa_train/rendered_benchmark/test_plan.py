"""What is shown of whom: people that nobody has met, and ladders that change one factor."""

import numpy as np
import pytest
from pydantic import ValidationError

from synfiqa.actors.degradation.recipe_sampler import OCCLUDERS
from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.stages.identity_generator import candidate_seed
from synfiqa.fiqa_train.bundled import render_set
from synfiqa.fiqa_train.bundled.render_set import SetSize
from synfiqa.fiqa_train.rendered_benchmark import plan
from synfiqa.fiqa_train.rendered_benchmark.operators import Operator
from synfiqa.fiqa_train.rendered_benchmark.plan import LADDERS, Settings, frames, identity_seed
from synfiqa.schemas.recipe import Expression, Recipe


@pytest.fixture(scope="module")
def bootstrap_seeds():
    """Seeds of the people that `synfiqa bootstrap` really renders, for some seeds of its own."""
    met = []

    class Met(Exception):
        pass

    def meet(seed):
        met.append(seed)
        raise Met

    some = [Recipe(kind="reference", seed=0)] * 5

    size = SetSize()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_set, "sample_identity", meet)
        patch.setattr(render_set, "reference_recipes", lambda *_: some)
        patch.setattr(render_set, "degraded_recipes", lambda *_: some)
        for seed in range(3):
            for number in range(size.identities + size.held_out):
                with pytest.raises(Met):
                    render_set._render_identity((seed, number, number < size.identities, size))
    return set(met)


def test_its_people_are_in_no_bootstrap_and_in_no_run(bootstrap_seeds):
    people = {identity_seed(seed, number) for seed in range(5) for number in range(1000)}
    assert len(people) == 5000
    assert len(bootstrap_seeds) == 3 * (SetSize().identities + SetSize().held_out)
    assert not people & bootstrap_seeds
    runs = {candidate_seed(seed, number) for seed in range(20) for number in range(2000)}
    assert not people & runs


def test_other_seeds_are_other_people():
    looks = np.stack([sample_identity(identity_seed(seed, number)).shape for seed in (0, 1) for number in range(50)])
    distances = np.linalg.norm(looks[:, None] - looks, axis=2)[np.triu_indices(100, 1)]
    assert distances.min() > 4, "59 coefficients of deviation 1"


def test_a_ladder_changes_its_factor_alone():
    shown = frames(Settings(), 3)
    probes = [frame for frame in shown if frame.role == "probe"]
    clean, *ladder = [frame for frame in probes if frame.factor != "mixed"]
    assert clean.factor == "clean"
    assert [(f.factor, f.step, f.level) for f in ladder] == [
        (factor, step, level) for factor, levels in LADDERS.items() for step, level in enumerate(levels, start=1)
    ]
    for frame in ladder:
        before, after = dict(clean.recipe), dict(frame.recipe)
        changed = {name for name in before if before[name] != after[name]}
        if frame.operator != Operator():
            assert not changed, frame.factor
        else:
            expected = {
                **{factor: {"pose"} for factor in ("yaw", "pitch")},
                **{factor: {"light"} for factor in ("sidelight", "backlight", "cast", "dark", "bright")},
                **{factor: {factor} for factor in ("misalignment", "motion")},
                "near": {"camera_distance"},
                "expression": {"expression"},
                "compression": {"jpeg_quality"},
            }
            assert changed - {"occluder_coverage"} == expected.get(frame.factor, {"occluder"}), frame.factor


def test_recipes_are_of_their_image_alone():
    long, short = frames(Settings(), 3), frames(Settings(identities=5, mixed=2, factors=("blur",)), 3)
    assert {f.recipe for f in short} <= {f.recipe for f in long}
    recipes = [f.recipe for number in range(3) for f in frames(Settings(), number) if f.factor in ("clean", "mixed")]
    assert len({recipe.seed for recipe in recipes}) == len(recipes) == 3 * (4 + 1 + 10)
    assert all(Recipe(**recipe.model_dump()) == recipe for recipe in recipes)


def test_paths_tell_references_from_probes():
    shown = frames(Settings(references=2), 12)
    assert [frame.path for frame in shown[:3]] == [
        "data/000012/Ref-0.jpg",
        "data/000012/Ref-1.jpg",
        "data/000012/0.jpg",
    ]
    assert len({frame.path for frame in shown}) == len(shown)


def test_sides_differ_between_people():
    sides = {np.sign(f.recipe.pose.yaw) for n in range(20) for f in frames(Settings(), n) if f.factor == "yaw"}
    assert sides == {-1, 1}


@pytest.mark.parametrize("wrong", [{"identities": 1}, {"factors": ("yaw", "mood")}, {"factors": ("yaw", "yaw")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_every_unit_and_every_occluder_has_its_part():
    assert set(plan.UNITS) == Expression.model_fields.keys()
    assert set(OCCLUDERS) - LADDERS.keys() == {"glasses"}, "which hide nothing"
