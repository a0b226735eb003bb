"""How alike people are: shares of stranger pairs, tails, and nearest faces, on vectors of known geometry."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.quality.people.__main__ import people_of, privacy_table, strangers_table
from benchmarks.quality.people.privacy import nearest, nearness
from benchmarks.quality.people.strangers import cosines_of_strangers, strangers, tail_share
from synfiqa.schemas.config.people import PRESETS, PeopleSection


def units(count, size, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_pairs_above_the_threshold_are_counted_once_and_their_people():
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.8, 0.6]], np.float32)
    found = strangers(vectors, 0.7)
    assert (found.pairs, found.above, found.people) == (6, 3, 3)
    assert found.share == pytest.approx(0.5)


def test_the_error_covers_repeated_draws_and_is_not_much_larger():
    shares = [strangers(units(150, 24, seed), 0.4) for seed in range(40)]
    spread = np.std([one.share for one in shares])
    assert 0.9 < np.mean([one.error for one in shares]) / spread < 1.8


def test_the_tail_of_a_normal_is_met_beyond_its_last_pair():
    cosines = np.random.default_rng(3).normal(0, 0.1, 300_000)
    assert tail_share(cosines, 0.45) == pytest.approx(norm.sf(4.5), rel=0.9)
    assert tail_share(cosines, 0.1) == pytest.approx(norm.sf(1.0), rel=0.02)
    assert np.isnan(tail_share(cosines[:1000], 0.45))
    assert len(cosines_of_strangers(units(10, 4, 1))) == 45


def test_a_person_is_no_stranger_to_itself():
    real = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    person = np.array([0, 0, 1])
    np.testing.assert_allclose(nearest(real, real, person, person), np.sqrt(2) * np.ones(3), rtol=1e-6)


def test_copies_of_real_people_are_nearer_than_strangers_and_independent_ones_are_not():
    real = units(300, 16, 5)
    person = np.arange(300)
    copies = nearness(real[:50] + 0.01 * units(50, 16, 6), real, person)
    fresh = nearness(units(200, 16, 7), real, person)
    assert copies.nearer == 1.0
    assert fresh.nearer < 0.05
    np.testing.assert_allclose(fresh.rendered[2:], fresh.real[2:], rtol=0.1)


def test_tables_hold_a_row_for_each_threshold_and_side():
    vectors = units(30, 8, 9)
    assert strangers_table("a", [strangers(vectors, 0.3), strangers(vectors, 0.5)]).count("\n| ") == 2
    assert "real strangers" in privacy_table("a", nearness(vectors[:10], vectors[10:], np.arange(20)))


def test_people_are_named_or_written_out():
    assert people_of("varied") == PRESETS["varied"]
    assert people_of("{}") == PeopleSection()
    assert people_of('{"cap": 0.5}').cap == 0.5
