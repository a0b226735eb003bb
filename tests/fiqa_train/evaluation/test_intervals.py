"""The identity bootstrap: right draws, right width, paired differences, fast enough to run after every training."""

import time

import numpy as np
import pytest

from synfiqa.fiqa_train.evaluation.intervals import Bootstrap, bootstrap_pauc
from synfiqa.fiqa_train.evaluation.pairs import enumerate_pairs
from synfiqa.fiqa_train.evaluation.weighted_pairs import WeightedPairs


def faces(rng, identities, images, good=1.0):
    """Images whose noise is known: quality `noise` is perfect, `weak` half of it, `none` unrelated."""
    identity = np.repeat(np.arange(identities), images)
    noise = rng.gamma(2.0, 0.5, len(identity))
    centres = rng.normal(size=(identities, 24))
    vectors = centres[identity] + noise[:, None] * rng.normal(size=(len(identity), 24)) * good
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = enumerate_pairs(identity)
    similarity = (vectors[table.first] * vectors[table.second]).sum(axis=1)
    scores = {"noise": -noise, "weak": -noise + rng.normal(0, 2, len(noise)), "none": rng.random(len(noise))}
    methods = {
        name: WeightedPairs(similarity, table.genuine, np.minimum(score[table.first], score[table.second]))
        for name, score in scores.items()
    }
    return methods, identity[table.first], identity[table.second]


def test_intervals_hold_the_estimate_and_order_the_methods():
    methods, first, second = faces(np.random.default_rng(0), 24, 10)
    result = bootstrap_pauc(methods, first, second, 0.01, 0.3, "leaderboard", 200, seed=1)
    for name, pairs in methods.items():
        interval = result.interval(name)
        assert interval.low < pairs.pauc(0.01, 0.3, "leaderboard", np.ones(len(first))) < interval.high
        assert interval.used == interval.resamples == 200
    assert result.interval("noise").high < result.interval("none").low
    assert result.difference("noise", "none").high < 0
    paired = result.difference("noise", "weak")
    assert paired.high - paired.low < sum(
        result.interval(name).high - result.interval(name).low for name in ("noise", "weak")
    )


def test_the_same_seed_draws_the_same_identities_whatever_the_methods():
    methods, first, second = faces(np.random.default_rng(1), 8, 6)

    def run(names, seed):
        chosen = {name: methods[name] for name in names}
        return bootstrap_pauc(chosen, first, second, 0.05, 0.3, "iso", 20, seed).draws

    both, alone, other = run(["noise", "none"], 3), run(["none"], 3), run(["none"], 4)
    np.testing.assert_array_equal(both["none"], alone["none"])
    assert not np.array_equal(alone["none"], other["none"])


def test_more_identities_narrow_the_interval():
    widths = []
    for identities in (8, 64):
        methods, first, second = faces(np.random.default_rng(2), identities, 6)
        interval = bootstrap_pauc(methods, first, second, 0.05, 0.3, "leaderboard", 100, seed=0).interval("weak")
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 1.5


def test_the_width_is_that_of_fresh_data():
    """Truth by simulation: the spread of pAUC over new populations, against the mean bootstrap spread."""
    rng = np.random.default_rng(3)
    estimates, spreads = [], []
    for _ in range(40):
        methods, first, second = faces(rng, 24, 6)
        weak = {"weak": methods["weak"]}
        estimates.append(weak["weak"].pauc(0.05, 0.3, "leaderboard", np.ones(len(first))))
        draws = bootstrap_pauc(weak, first, second, 0.05, 0.3, "leaderboard", 40, seed=0).draws["weak"]
        spreads.append(draws.std())
    assert 0.7 < np.mean(spreads) / np.std(estimates) < 1.6


def test_draws_without_any_error_are_left_out_and_counted():
    result = Bootstrap({"a": np.array([0.5, np.nan, 0.7]), "b": np.full(3, np.nan)})
    assert result.interval("a").used == 2
    assert result.interval("b").used == 0
    assert np.isnan(result.interval("b").low)


def test_one_identity_is_refused():
    methods, first, second = faces(np.random.default_rng(0), 2, 3)
    with pytest.raises(ValueError, match="at least two identities"):
        bootstrap_pauc(methods, first * 0, second * 0, 0.5, 0.3, "iso", 5, seed=0)


def test_two_hundred_resamples_of_five_methods_and_a_hundred_thousand_pairs_take_seconds():
    methods, first, second = faces(np.random.default_rng(4), 19, 24)
    assert len(first) > 100_000
    five = {
        f"{name}{copy}": pairs for copy in range(2) for name, pairs in methods.items() if copy == 0 or name != "weak"
    }
    started = time.process_time()
    bootstrap_pauc(five, first, second, 0.01, 0.3, "leaderboard", 40, seed=0)
    assert (time.process_time() - started) * 5 < 30
