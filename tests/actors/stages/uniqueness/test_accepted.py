"""The search for the nearest accepted identity: the same bits at every speed, in blocks of any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synfiqa.actors.stages.uniqueness import gemm, int8
from synfiqa.actors.stages.uniqueness.accepted import AcceptedIdentities
from synfiqa.actors.stages.uniqueness.exact import WINDOW, largest_cosine

SLOW, GEMM, INT8 = (10**9, 10**9), (0, 10**9), (0, 0)
"""Numbers of rows from which products of many candidates and those of 8-bit integers are taken."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(int8, "BLOCK", 32)
    monkeypatch.setattr("synfiqa.actors.stages.uniqueness.accepted.BLOCK", 32)
    monkeypatch.setattr(gemm, "BLOCK", 50)


def units(vectors):
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def crowd(seed, count, dimensions, kind):
    """Vectors that tie: copies of a few, copies a last bit apart, or equal up to the order of their components."""
    rng = np.random.default_rng(seed)
    vectors = units(rng.normal(size=(count, dimensions)))
    if kind == "copies":
        vectors = vectors[rng.integers(0, max(count // 8, 1), count)]
    if kind == "last bits":
        vectors = np.nextafter(
            vectors[rng.integers(0, min(count, 3), count)], rng.choice([-1, 1], (count, dimensions)), dtype="f4"
        )
    if kind == "signs":
        vectors = units(rng.choice([-1.0, 1.0], (count, dimensions)))
    return vectors


def greedy(vectors, limit, speeds, block):
    """Decide the vectors in blocks; return what became of each, with its largest cosine."""
    identities = AcceptedIdentities(len(vectors), gemm_from=speeds[0], int8_from=speeds[1])
    outcome = []
    for start in range(0, len(vectors), block):
        part = list(vectors[start : start + block])
        for vector, cosine in zip(part, identities.cosines(part), strict=True):
            outcome.append((cosine > limit, cosine))
            if not cosine > limit:
                identities.add(vector)
    return outcome


def plain(vectors, limit):
    """The rule as a loop: every candidate against all identities accepted before, without any shortlist."""
    accepted, outcome = np.zeros((0, vectors.shape[1]), np.float32), []
    for vector in vectors:
        cosine = largest_cosine(accepted, vector)
        outcome.append((cosine > limit, cosine))
        if not cosine > limit:
            accepted = np.vstack([accepted, vector])
    return outcome


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 150),
    dimensions=st.integers(2, 40),
    kind=st.sampled_from(["random", "copies", "last bits", "signs"]),
    block=st.integers(1, 160),
    speeds=st.sampled_from([SLOW, GEMM, INT8, (40, 70)]),
    limit=st.sampled_from(["met", 0.3, 0.6, 0.99, 1.0, -1.0]),
)
@settings(max_examples=150, deadline=None)
def test_decisions_and_cosines_are_those_of_the_plain_rule_in_any_blocks(
    seed, count, dimensions, kind, block, speeds, limit
):
    vectors = crowd(seed, count, dimensions, kind)
    # "met": a limit that some cosine has exactly, so that a last bit would decide otherwise.
    exact = plain(vectors, 2.0)[-1][1] if limit == "met" else limit
    assert greedy(vectors, exact, speeds, block) == plain(vectors, exact)


@pytest.mark.parametrize("speeds", [SLOW, GEMM, INT8])
@pytest.mark.parametrize("dimensions", [7, 128, 512])
def test_many_identities_at_any_speed_are_searched_to_the_last_bit(speeds, dimensions):
    vectors = crowd(3, 3 * WINDOW + 2, dimensions, "random")
    assert greedy(vectors, 0.45, speeds, 64) == plain(vectors, 0.45)


def test_up_to_a_window_the_cosine_is_that_of_one_plain_product():
    rows = crowd(0, WINDOW + 1, 128, "random")
    for count in (1, 2, 3, 5, 100, 104, WINDOW, WINDOW + 1):
        vector = units(rows[count // 2] + 0.3 * rows[-1])
        assert largest_cosine(rows[:count], vector) == min(float((rows[:count] @ vector).max()), 1.0)


@pytest.mark.parametrize("speeds", [GEMM, INT8])
def test_a_shortlist_is_short_and_one_of_identical_rows_is_long(speeds):
    identities = AcceptedIdentities(600, gemm_from=speeds[0], int8_from=speeds[1])
    identities.add(crowd(1, 600, 128, "random"))
    found = identities._search(crowd(2, 5, 128, "random"))
    assert max(len(rows) for rows in found) < 150
    same = AcceptedIdentities(64, gemm_from=speeds[0], int8_from=speeds[1])
    same.add(np.repeat(units([[1, 2, 2]]), 64, axis=0))
    assert [len(rows) for rows in same._search(units([[1, 2, 2]]))] == [64]


@pytest.mark.parametrize("speeds", [GEMM, INT8])
def test_an_embedding_that_is_no_number_is_compared_as_before(speeds):
    """No error bound holds for NaN: such candidates are compared one at a time."""
    vectors = crowd(5, 40, 8, "random")
    vectors[20, 3] = np.nan
    found, expected = greedy(vectors, 0.5, speeds, 7), plain(vectors, 0.5)
    assert [kept for kept, _ in found] == [kept for kept, _ in expected]
    np.testing.assert_array_equal([cosine for _, cosine in found], [cosine for _, cosine in expected])


def test_without_identities_there_is_no_cosine():
    assert list(AcceptedIdentities(3, gemm_from=0, int8_from=0).cosines([np.ones(2, np.float32)])) == [-1.0]


def test_few_identities_need_no_collecting_of_candidates():
    identities = AcceptedIdentities(100, gemm_from=50)
    assert identities.at_once == 1
    identities.add(crowd(0, 50, 4, "random"))
    assert identities.at_once >= 64
