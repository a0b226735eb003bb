"""Comparing qualities: the numbers of the JSON are those of the EDC, and they are JSON."""

import json

import numpy as np
import pytest

from synfiqa.actors.quality.measures.sharpness import sharpness
from synfiqa.fiqa_train.evaluation.baselines import LabelScorer, label_quality
from synfiqa.fiqa_train.evaluation.compare import CURVE_POINTS, Protocol, compare, number, resolvable
from synfiqa.fiqa_train.evaluation.edc import edc, pair_quality
from synfiqa.fiqa_train.evaluation.pairs import enumerate_pairs
from synfiqa.schemas.errors import JobFailed
from tests.fiqa_train.labelled_run import blurred, portrait


@pytest.fixture(scope="module")
def compared():
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(10), 8)
    noise = rng.gamma(2, 0.6, 80)
    vectors = rng.normal(size=(10, 16))[identities] + noise[:, None] * rng.normal(size=(80, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = enumerate_pairs(identities)
    similarity = (vectors[table.first] * vectors[table.second]).sum(axis=1)
    qualities = {"model": -noise, "other": rng.random(80)}
    protocol = Protocol([0.05, 0.01], 0.3, 25, 0)
    results = compare(qualities, similarity, table, identities, protocol, [("model", "other"), ("model", "random")])
    return qualities, similarity, table, results


def test_every_mode_and_rate_has_its_figures(compared):
    qualities, similarity, table, results = compared
    assert [(r.mode, r.fmr) for r in results] == [
        ("leaderboard", 0.05),
        ("leaderboard", 0.01),
        ("iso", 0.05),
        ("iso", 0.01),
    ]
    for result in results:
        for name, quality in qualities.items():
            pairwise = pair_quality(quality[table.first], quality[table.second])
            curve = edc(similarity, table.genuine, pairwise, result.fmr, 0.3, result.mode)
            method = result.methods[name]
            assert method.pauc == pytest.approx(curve.pauc, abs=1e-7)
            assert method.fnmr[0] == pytest.approx(result.fnmr0, abs=1e-5)
            assert len(method.discard) == len(method.fnmr) <= CURVE_POINTS
            assert method.interval.low < method.pauc < method.interval.high
        difference = result.differences[0]
        assert difference.difference == pytest.approx(
            result.methods["model"].pauc - result.methods["other"].pauc, abs=1e-7
        )
        assert difference.interval.high < 0, "perfect quality beats one without worth"
    json.dumps([result.model_dump(mode="json") for result in results], allow_nan=False)


def test_without_resamples_there_is_no_interval(compared):
    qualities, similarity, table, _ = compared
    result = compare(qualities, similarity, table, np.repeat(np.arange(10), 8), Protocol([0.05], 0.2, 0, 0))[0]
    assert result.methods["model"].interval is None
    assert result.discard_limit == 0.2


def test_random_is_a_mean_of_draws_with_the_interval_of_that_mean(compared):
    """One draw had an interval that excluded 1."""
    _, similarity, table, _ = compared
    identities = np.repeat(np.arange(10), 8)
    qualities = {"model": np.arange(80.0), "random": np.arange(80.0)}
    versus = [("model", "random")]
    for result in compare(qualities, similarity, table, identities, Protocol([0.05], 0.3, 5, 0), versus):
        random = result.methods["random"]
        assert random.pauc == pytest.approx(1, abs=0.05)
        assert random.interval.resamples == 200
        assert random.interval.high - random.interval.low < 0.1
        assert result.differences == []
    alone = compare({"random": np.zeros(80)}, similarity, table, identities, Protocol([0.05], 0.3, 0, 0))
    assert alone[0].methods["random"].pauc == pytest.approx(1, abs=0.05)


def test_the_identity_pairs_above_the_threshold_are_counted(compared):
    _, similarity, table, results = compared
    for result in results:
        identities = np.repeat(np.arange(10), 8)
        accepted = ~table.genuine & (similarity > result.threshold0)
        people = zip(identities[table.first[accepted]], identities[table.second[accepted]], strict=True)
        assert result.carriers == len({tuple(sorted(pair)) for pair in people})
        assert result.few_carriers == (result.carriers < 20)


def test_rates_beyond_the_pairs_are_set_aside_with_the_reason():
    kept, skipped = resolvable([0.1, 0.001], 10, 500)
    assert kept == [0.1]
    assert skipped[0].fmr == 0.001
    assert "at least 1000" in skipped[0].reason


def test_numbers_without_a_value_are_null():
    assert number(float("nan")) is None
    assert number(float("inf")) is None
    assert number(0.123456789123) == 0.12345679


def test_baselines():
    image = portrait(0).astype(np.uint8)
    ladder = sharpness(np.stack([blurred(portrait(0), sigma) for sigma in (0, 1, 2, 4)]))
    assert (np.diff(ladder) < 0).all()
    assert sharpness(image[None]) == pytest.approx(ladder[0], rel=0.05)
    np.testing.assert_array_equal(label_quality(np.array([0.2, np.nan, 0.0])), [0.2, 1.0, 0.0])
    scorer, images = LabelScorer(np.array([0.2, np.nan, 0.0])), np.zeros((2, 112, 112, 3), np.uint8)
    np.testing.assert_array_equal(scorer.score(images), [0.2, 1.0])
    with pytest.raises(JobFailed, match="3 labels for 4 images"):
        scorer.score(images)
