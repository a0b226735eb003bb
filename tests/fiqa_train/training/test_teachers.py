"""Teachers: scores on 0..1 by the scale of the card, else by the spread over given faces; lower-is-better is turned."""

import numpy as np
import pytest

from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.fiqa_train.training.teachers import TeacherOf, require_teachers
from synfiqa.schemas.config.train_config import ObjectiveSection
from synfiqa.schemas.errors import UserError


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (40, 112, 112, 3), np.uint8)


def raw(name, faces):
    return scorers_of([name], ScorerSettings(), {}, "test")[name].score(faces)


def test_a_scale_on_the_card_decides(faces):
    settings = ScorerSettings()
    scale = settings.model("bundled-quality").card.scale
    found = TeacherOf(("bundled-quality",), settings).scaled(faces)(faces)
    assert found == pytest.approx([scale.scalar(score) / 100 for score in raw("bundled-quality", faces)], abs=1e-6)


def test_without_one_the_spread_over_the_given_faces_fills_0_to_1(faces):
    found = TeacherOf(("sharpness",), ScorerSettings()).scaled(faces)(faces)
    assert np.percentile(found, [5, 95]) == pytest.approx([0, 1], abs=1e-9)
    assert np.array_equal(np.argsort(found), np.argsort(raw("sharpness", faces)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "there is no scorer 'nobody'"),
        ("label", "'label' is the labels of a run, in evaluate.scorers, no scorer by itself"),
    ],
)
def test_a_name_that_cannot_teach_is_refused_with_its_key_before_anything_starts(name, words):
    """The sentence said only that there was no such model."""
    with pytest.raises(UserError, match=rf"train\.objective\.teacher: {words}"):
        require_teachers(["sharpness", name], "")


def test_a_teacher_that_is_no_scorer_is_refused_where_the_config_names_it(faces):
    with pytest.raises(UserError, match=r"train\.objective\.teacher: there is no scorer 'nobody'"):
        TeacherOf(("nobody",), ScorerSettings()).scaled(faces)


def test_several_teachers_are_the_mean_of_their_standardised_scores(faces):
    """So that a teacher whose scores are in thousands does not drown one in tenths."""
    names = ("bundled-quality", "sharpness", "iso-contrast")
    found = TeacherOf(names, ScorerSettings()).scaled(faces)(faces)
    several = np.array([raw(name, faces) for name in names])
    mean = ((several - several.mean(axis=1, keepdims=True)) / several.std(axis=1, keepdims=True)).mean(axis=0)
    low, high = np.percentile(mean, [5, 95])
    assert found == pytest.approx((mean - low) / (high - low), abs=1e-4)


@pytest.mark.parametrize("named", [(), ("",), ("sharpness", "sharpness")])
def test_a_list_of_teachers_names_each_once(named):
    with pytest.raises(ValueError, match="teacher must name scorers, each once"):
        ObjectiveSection(teacher=named)
    assert ObjectiveSection(teacher="sharpness").teachers == ("sharpness",)
    assert ObjectiveSection().teachers == ()
