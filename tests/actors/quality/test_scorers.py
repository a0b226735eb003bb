"""The contract of a quality scorer: a direction, one finite number an image, one name; violations name the remedy."""

import numpy as np
import pytest

from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.measures.sharpness import sharpness
from synfiqa.actors.quality.registry import SCORERS, require_known, require_of_image, standalone
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.schemas.errors import UserError
from tests.actors.model_store.cards import card

IMAGES = canary_images(5)


class Fixed:
    """Returns what it was made with."""

    def __init__(self, answer, higher_is_better=True):
        self.card = card(higher_is_better=higher_is_better)
        self.answer, self.seen = answer, 0

    def score(self, images):
        return self.answer

    def calibrate(self, images):
        self.seen += len(images)


def scorer(name, **settings):
    return scorers_of([name], ScorerSettings(**settings), {}, "evaluate.scorers")[name]


ANY_NETWORK = [
    name for name in standalone() if name not in SCORERS or not (SCORERS[name].needs or SCORERS[name].portraits)
]
"""Scorers of aligned crops that need no special embedder."""


@pytest.mark.parametrize("name", ANY_NETWORK)
def test_every_scorer_without_a_run_keeps_the_contract(name):
    found = scorer(name)
    assert found.card.name == name
    assert found.card.higher_is_better is True
    assert found.card.licence == "Apache-2.0"
    scores = found.score(IMAGES)
    assert (scores.shape, scores.dtype) == ((5,), np.float64)
    assert scorer(name).score(IMAGES[:0]).shape == (0,)
    again = scorer(name)
    parts = np.concatenate([again.score(IMAGES[:2]), again.score(IMAGES[2:])])
    assert parts == pytest.approx(scores, rel=1e-5)


def test_the_bundled_scorer_of_portraits_keeps_the_contract_on_portraits_and_refuses_crops():
    found = scorer("bundled-dsl")
    assert (found.card.name, found.card.licence, found.card.higher_is_better) == ("bundled-dsl", "Apache-2.0", True)
    assert found.takes_portraits
    portraits = canary_images(3, 160)
    scores = found.score(portraits)
    assert (scores.shape, scores.dtype) == ((3,), np.float64)
    alone = [scorer("bundled-dsl").score(portraits[[row]])[0] for row in range(3)]
    assert alone == pytest.approx(scores, abs=1e-5)
    with pytest.raises(UserError, match=r"^bundled-dsl scores portraits, and crops of 112 x 112 show no whole head: "):
        found.score(IMAGES)
    with pytest.raises(UserError, match=r"label.scorer: 'bundled-dsl' scores portraits, not aligned crops"):
        require_of_image("bundled-dsl", "label.scorer")


def test_scores_are_those_of_the_measures():
    np.testing.assert_array_equal(scorer("sharpness").score(IMAGES), sharpness(IMAGES))
    loaded = load_quality_model("bundled-quality").score(IMAGES).astype(np.float64)
    np.testing.assert_array_equal(scorer("bundled-quality").score(IMAGES), loaded)
    assert not np.array_equal(scorer("random", seed=1).score(IMAGES), scorer("random", seed=2).score(IMAGES))
    assert scorer("mirror").score(np.concatenate([IMAGES, IMAGES[:, :, ::-1]])) == pytest.approx(
        np.tile(scorer("mirror").score(IMAGES), 2), abs=1e-5
    )
    assert not np.allclose(scorer("norm").score(IMAGES), scorer("norm", embedder="bundled-b").score(IMAGES))


def test_a_scorer_whose_low_scores_are_good_is_turned_once():
    turned = GuardedScorer("noise", Fixed([1, 2], higher_is_better=False))
    assert turned.card.higher_is_better is True
    for scorer in (turned, GuardedScorer("model", turned)):
        np.testing.assert_array_equal(scorer.score(IMAGES[:2]), [-1, -2])


def test_a_card_without_direction_is_refused():
    with pytest.raises(UserError, match=r"scorer 'mine': its card does not state higher_is_better; set it to"):
        GuardedScorer("mine", Fixed([1.0], higher_is_better=None))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1.0, np.nan], r"scorer 'mine' returned NaN or infinity for 1 of 2 images: correct"),
        ([np.inf, -np.inf], r"scorer 'mine' returned NaN or infinity for 2 of 2 images: correct"),
        ([1.0], r"scorer 'mine' returned float64 \(1,\) for 2 images: correct"),
        ([[1.0], [2.0]], r"scorer 'mine' returned float64 \(2, 1\) for 2 images: correct"),
        (["good", "bad"], r"scorer 'mine' returned <U4 \(2,\) for 2 images: correct"),
    ],
)
def test_what_is_no_quality_is_refused(answer, message):
    with pytest.raises(UserError, match=message):
        GuardedScorer("mine", Fixed(answer)).score(IMAGES[:2])


def test_calibration_reaches_the_scorers_that_have_it():
    fixed = Fixed([1.0])
    GuardedScorer("mine", fixed).calibrate(IMAGES)
    assert fixed.seen == 5
    scorer("sharpness").calibrate(IMAGES)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        UserError, match=r"evaluate.scorers: there is no scorer 'sharp'; choose among model, label, sha"
    ):
        require_known(["model", "sharp"], "evaluate.scorers")
    assert set(standalone()) == SCORERS.keys() - {"model", "label"}


def test_a_scorer_of_a_run_is_refused_without_one():
    with pytest.raises(UserError, match=r"--scorers: the scorer 'label' needs the labels of a run"):
        scorers_of(["label"], ScorerSettings(), {}, "--scorers")


def test_an_embedder_without_norms_is_refused():
    with pytest.raises(UserError, match="plays the role detector, not embedder"):
        scorer("norm", embedder="mtcnn")


def test_only_weights_have_digests():
    settings = ScorerSettings()
    digests = scorer_digests(SCORERS, settings)
    by_network = {"ser-fiq", "perturbation", "vitnt", "attn", "grafiqs", *(f"grafiqs-stage{n}" for n in range(1, 5))}
    assert digests.keys() == {"norm", "mirror", "bundled-quality", "bundled-dsl", "froq"} | by_network
    assert digests["norm"] == settings.catalogue.model("bundled-a").card.sha256
