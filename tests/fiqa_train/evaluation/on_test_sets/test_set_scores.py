"""Vectors and qualities keep the places of images without a face, and templates follow their definition."""

import numpy as np
import pytest

from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.fiqa_train.datasets import testset
from synfiqa.fiqa_train.datasets.testset import Crops, Templates
from synfiqa.fiqa_train.evaluation.on_test_sets.set_scores import SetScores, pooled, scores_of
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import ModelCard
from tests.fiqa_train.small_photos import picture

CARD = ModelCard(
    name="mine",
    role="quality",
    architecture="test",
    source="built-in",
    input_size=112,
    channels="rgb",
    value_range=None,
    output="brightness",
    higher_is_better=True,
    licence="MIT",
    commercial_use=True,
)
FACES = np.stack([picture(seed) for seed in range(6)])


class Brightness:
    card = CARD

    def __init__(self):
        self.seen = 0

    def calibrate(self, images):
        self.seen = len(images)

    def score(self, images):
        return images.mean(axis=(1, 2, 3)).astype(np.float64)


class Half(Brightness):
    def score(self, images):
        return super().score(images)[::2]


class Judge:
    name = "judge"

    def embed(self, images):
        vectors = images[:, ::16, ::16].reshape(len(images), -1).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def of(reasons, images=FACES, ids=None):
    def crops():
        for start in range(0, len(images), 4):
            part = images[start : start + 4].copy()
            own = tuple(reasons[start : start + 4])
            part[[bool(reason) for reason in own]] = 0
            yield Crops(part, own)

    names = tuple(ids or (f"i{k}" for k in range(len(images))))
    people = np.arange(len(names)) // 2
    return testset.TestSet("x", "test", "made here", "0" * 64, names, crops, identity=people)


def test_images_without_a_face_keep_their_place_and_have_the_lowest_quality():
    reasons = ["", "no face found", "", "", "", "no face found"]
    scorer = Brightness()
    found = scores_of(of(reasons), {"judge": Judge()}, {"mine": GuardedScorer("mine", scorer)})
    assert found.reasons == reasons
    here = [0, 2, 3, 4]
    np.testing.assert_array_equal(np.flatnonzero(found.present), here)
    np.testing.assert_array_equal(found.vectors["judge"][here], embed_flipped(Judge(), FACES[here]))
    np.testing.assert_array_equal(found.quality["mine"][here], FACES[here].mean(axis=(1, 2, 3)))
    assert np.isneginf(found.quality["mine"][[1, 5]]).all()
    assert not found.vectors["judge"][[1, 5]].any()
    assert scorer.seen == 4


class Portraits(Brightness):
    """Scores the height of a photograph."""

    takes_portraits = True

    def score(self, images):
        raise UserError("mine scores portraits")

    def score_portraits(self, images, landmarks):
        raise AssertionError("a set of photographs has five landmarks")

    def score_faces(self, photographs, landmarks):
        assert all(points.shape == (5, 2) for points in landmarks)
        return np.array([float(len(photograph)) for photograph in photographs])


def test_scorers_of_portraits_have_the_photographs_of_a_set_and_are_refused_on_crops():
    photographs = tuple(np.zeros((height, 40, 3), np.uint8) for height in (30, 50, 70))
    points = np.zeros((5, 2), np.float32)
    crops = Crops(FACES[:3], ("", "no face found", ""), photographs, (points, None, points))
    people = np.array([0, 0, 1])
    own = testset.TestSet("x", "test", "made here", "0" * 64, ("a", "b", "c"), lambda: iter([crops]), identity=people)
    scorers = {"mine": GuardedScorer("mine", Portraits())}
    assert scores_of(own, {"judge": Judge()}, scorers).quality["mine"].tolist() == [30, -np.inf, 70]
    with pytest.raises(UserError, match="mine scores portraits"):
        scores_of(of([""] * 6), {"judge": Judge()}, scorers)


def test_scores_for_half_of_the_images_no_face_and_too_few_images_are_refused():
    with pytest.raises(UserError, match=r"scorer 'half' returned float64 \(2,\) for 4 images"):
        scores_of(of([""] * 6), {}, {"half": GuardedScorer("half", Half())})
    with pytest.raises(JobFailed, match="no image shows a face"):
        scores_of(of(["no face found"] * 6), {}, {})
    with pytest.raises(JobFailed, match="6 images were read, not 7"):
        scores_of(of([""] * 6, ids=[f"i{k}" for k in range(7)]), {}, {})


def test_exchanged_channels_are_refused():
    blue = np.concatenate([FACES] * 4)[..., ::-1]
    with pytest.raises(UserError, match="red and blue seem exchanged"):
        scores_of(of([""] * 24, blue), {"judge": Judge()}, {})


def test_templates_are_sums_of_media_means_and_as_good_as_their_worst_image():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    quality = np.array([0.5, 0.9, 0.1, 0.7, -np.inf])
    images = SetScores({"judge": vectors}, {"mine": quality}, ["", "", "", "", "no face found"])
    # Template 0: images 0 and 1 of one media, 2 of another; template 1: image 3, and 4 without a face; 2: 4 alone.
    rows = np.array([[0, 0, 7], [1, 0, 7], [2, 0, 8], [3, 1, 7], [4, 1, 9], [4, 2, 9]])
    found = pooled(images, Templates(rows[:, 0], rows[:, 1], rows[:, 2], ("a", "b", "c")))
    first = (vectors[0] + vectors[1]) / 2 + vectors[2]
    np.testing.assert_allclose(found.vectors["judge"][0], first / np.linalg.norm(first), atol=1e-6)
    np.testing.assert_allclose(found.vectors["judge"][1], vectors[3], atol=1e-6)
    assert found.quality["mine"].tolist() == [0.1, 0.7, -np.inf]
    assert found.present.tolist() == [True, True, False]
