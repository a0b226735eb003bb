"""Sets with opinion scores: recognised by their layout, scored as portraits or aligned, compared with the opinions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.fiqa_train.evaluation.on_test_sets import opinion_sets
from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_sets import (
    OpinionSet,
    _measured,
    open_opinion_sets,
    scores_of_portraits,
)
from synfiqa.jobs.terminal.opinion_text import opinion_lines
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import OpinionBasis
from tests.actors.model_store.cards import card
from tests.fiqa_train.training.dsl.portraits import blurred

COUNT = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A test split of one portrait under rising blur, whose opinions fall with it."""
    root = tmp_path_factory.mktemp("opinions")
    split = root / "test"
    (split / "img").mkdir(parents=True)
    (split / "landmark").mkdir()
    items = blurred(COUNT)
    names = [f"p{number:02d}" for number in range(COUNT)]
    for name, item in zip(names, items, strict=True):
        Image.fromarray(item.image).save(split / "img" / f"{name}.png")
        np.save(split / "landmark" / f"{name}.npy", item.landmarks)
    scores = {"Image": [f"{name}.png" for name in names], "MOS": [item.score**3 for item in items]}
    (split / "label.json").write_text(json.dumps(scores))
    return root


class Portraits:
    """Scores a portrait by its number of pixels, and notes what it was given."""

    takes_portraits = True

    def __init__(self):
        self.card = card(name="portraits", input_size=64, higher_is_better=True)
        self.given = []

    def score(self, images):
        raise AssertionError("portraits are not aligned for a scorer of portraits")

    def score_faces(self, photographs, landmarks):
        raise AssertionError("portraits are not cut again")

    def score_portraits(self, images, landmarks):
        self.given += [(image.shape, points.shape) for image, points in zip(images, landmarks, strict=True)]
        return np.array([float(image.std()) for image in images])


def test_a_folder_with_scores_is_an_opinion_set_and_others_stay_as_they_are(root, tmp_path):
    found, others = open_opinion_sets([f"people={root}", f"lfw={tmp_path}"])
    assert [(one.name, one.split) for one in found] == [("people", "test")]
    assert others == [f"lfw={tmp_path}"]
    with pytest.raises(UserError, match="--on people: this name is given twice"):
        open_opinion_sets([f"people={root}", f"people={tmp_path}"])
    with pytest.raises(UserError, match="give NAME=PATH"):
        open_opinion_sets([f"a b={root}"])


def test_methods_are_compared_with_the_opinions(root, monkeypatch):
    monkeypatch.setattr(opinion_sets, "BATCH", 5)
    own = OpinionSet("people", root, "test")
    portraits = Portraits()
    scorers = scorers_of(["sharpness"], ScorerSettings(), {}, "evaluate.scorers")
    scorers["portraits"] = GuardedScorer("portraits", portraits)
    basis = OpinionBasis(model_sha256="", scorers={}, methods=list(scorers), test_set=own.identity)
    result = _measured("default", basis, own, scorers)
    assert portraits.given == [((80, 80, 3), (68, 2))] * COUNT
    assert result.images == COUNT
    sharp = result.results["sharpness"]
    assert sharp.srcc == pytest.approx(1.0)
    assert sharp.plcc <= sharp.plcc_mapped <= 1
    assert sharp.plcc_mapped > 0.98
    lines = opinion_lines(result)
    assert "people: portraits with opinion scores" in lines[0]
    assert "1.0000" in next(line for line in lines if "sharpness" in line)


def test_the_result_rests_on_every_byte_of_scores(root, tmp_path):
    own = OpinionSet("people", root, "test")
    other = tmp_path / "other" / "test"
    other.mkdir(parents=True)
    (other / "label.json").write_text('{"Image": ["a.png"], "MOS": [1]}')
    assert own.identity.sha256 == own.identity.sha256 != replace(own, root=tmp_path / "other").identity.sha256


def test_portraits_smaller_than_a_crop_are_named(root):
    large = Portraits()
    large.card = card(name="portraits", input_size=128, higher_is_better=True)
    own = OpinionSet("people", root, "test")
    scorers = {"portraits": GuardedScorer("portraits", large)}
    basis = OpinionBasis(model_sha256="", scorers={}, methods=["portraits"], test_set=own.identity)
    with pytest.raises(UserError, match="has 80 x 80 pixels, less than the crop of 128"):
        _measured("default", basis, own, scorers)


def test_landmarks_on_one_point_are_refused(root, tmp_path):
    own = OpinionSet("people", root, "test").open(0)
    flat = replace(own[0], landmarks=np.full((68, 2), 4.0, np.float32))
    scorers = scorers_of(["sharpness"], ScorerSettings(), {}, "evaluate.scorers")
    with pytest.raises(UserError, match=r"--on people: .*detect the landmarks again"):
        scores_of_portraits("people", [flat], scorers)
