"""Splits: disjoint, stable under growth and gaps, exact on small sets, never empty."""

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synfiqa.fiqa_train.training.splits import split_grown, split_identities
from synfiqa.schemas.errors import UserError


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 400), min_size=3), st.integers(0, 5))
def test_added_or_missing_identities_move_nobody(identities, seed):
    """Every set large enough to fill its splits agrees with the set of all identities."""
    everyone = split_identities(range(2000), 0.1, 0.25, seed)
    wanted = {identity: everyone[identity] for identity in identities}
    assume(set(wanted.values()) == {"train", "validation", "test"})
    assert split_identities(identities, 0.1, 0.25, seed) == wanted


def test_a_set_of_whole_blocks_has_the_exact_fractions():
    counts = Counter(split_identities(range(60), 0.1, 0.25, 0).values())
    assert counts == {"train": 39, "validation": 6, "test": 15}


def test_odd_fractions_are_met_on_average():
    counts = Counter(split_identities(range(20_000), 0.07, 0.33, 1).values())
    assert counts["test"] / 20_000 == pytest.approx(0.33, abs=0.004)
    assert counts["validation"] / 20_000 == pytest.approx(0.07, abs=0.004)


@pytest.mark.parametrize("count", [3, 4, 5, 8, 12, 16])
@pytest.mark.parametrize("fractions", [(0.1, 0.25), (0.01, 0.01), (0.45, 0.45), (0.05, 0.85)])
def test_no_split_is_ever_empty(count, fractions):
    for seed in range(20):
        assert set(split_identities(range(count), *fractions, seed).values()) == {"train", "validation", "test"}


def test_another_seed_deals_anew_and_the_same_seed_does_not():
    first, again, other = (split_identities(range(64), 0.1, 0.25, seed) for seed in (0, 0, 1))
    assert first == again != other


def test_two_identities_are_refused():
    with pytest.raises(UserError, match="at least 3"):
        split_identities([4, 7], 0.1, 0.2, 0)


@pytest.mark.parametrize("first", [3, 6, 11, 25])
def test_identities_of_a_grown_run_keep_their_split(first):
    """A run too small for its fractions ranks its identities, and grown it would have moved some of them."""
    steps = (first, 30, 70)
    small = split_identities(range(first), 0.1, 0.25, 7)
    grown = split_grown(range(70), steps, 0.1, 0.25, 7)
    assert grown.items() >= small.items()
    assert grown.items() >= split_grown(range(30), steps[:2], 0.1, 0.25, 7).items()
    assert set(grown.values()) == {"train", "validation", "test"}


def test_a_run_that_never_grew_or_was_large_enough_is_split_by_number_alone():
    whole = split_identities(range(70), 0.1, 0.25, 7)
    assert split_grown(range(70), (70,), 0.1, 0.25, 7) == whole
    assert split_grown(range(70), (1, 2, 40, 70), 0.1, 0.25, 7) == whole
