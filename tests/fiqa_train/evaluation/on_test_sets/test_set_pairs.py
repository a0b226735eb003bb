"""The pairs of a set: listed ones as they are, else all, or those of references and probes."""

import numpy as np
import pytest

from synfiqa.fiqa_train.datasets import testset
from synfiqa.fiqa_train.datasets.pair_table import ordered_pairs
from synfiqa.fiqa_train.evaluation.on_test_sets import set_pairs
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import carried, pairs_of
from synfiqa.schemas.errors import UserError


def of(count=6, **fields):
    ids = tuple(f"i{k}" for k in range(count))
    return testset.TestSet("x", "test", "made here", "0" * 64, ids, lambda: iter(()), **fields)


LISTED = ordered_pairs(np.array([0, 1, 4, 0, 0]), np.array([1, 2, 5, 4, 1]), np.array([1, 1, 1, 0, 0]))


def test_listed_pairs_stay_and_link_identities():
    pairs = pairs_of(of(pairs=LISTED), "probe-reference", 0)
    assert pairs.table is LISTED
    assert (pairs.protocol, pairs.identities_from) == ("listed", "linked by genuine pairs")
    assert pairs.counts == (3, 2)
    assert (pairs.repeated, pairs.contradictory) == (1, 1)
    assert len(set(pairs.identity.tolist())) == 3


def test_identities_make_all_pairs_or_those_of_references_and_probes():
    people = np.array([0, 0, 1, 1, 2, 2])
    every = pairs_of(of(identity=people), "probe-reference", 0)
    assert (every.protocol, every.counts, every.identities_from) == ("all", (3, 12), "given")
    reference = np.array([1, 0, 1, 0, 1, 0], bool)
    mixed = of(identity=people, is_reference=reference)
    assert pairs_of(mixed, "probe-reference", 0).counts == (3, 6)
    assert pairs_of(mixed, "all", 0).counts == (3, 12)


def test_too_many_impostors_are_sampled(monkeypatch):
    monkeypatch.setattr(set_pairs, "MAX_IMPOSTORS", 10)
    pairs = pairs_of(of(identity=np.array([0, 0, 1, 1, 2, 2])), "all", 0)
    assert (pairs.sampled, pairs.counts) == (True, (3, 10))


def test_pairs_with_something_absent_are_left_out():
    kept = pairs_of(of(pairs=LISTED), "all", 0).between(np.array([1, 1, 0, 1, 1, 1], bool))
    assert kept.counts == (2, 2)


def test_rates_that_pairs_cannot_carry_are_skipped_and_refused_where_none_is_left():
    pairs = pairs_of(of(identity=np.array([0, 0, 1, 1, 2, 2])), "all", 0)
    kept, skipped = carried("x", pairs, (0.1, 1e-3))
    assert kept == [0.1]
    assert "needs at least 1000 impostor pairs, and there are 12" in skipped[0].reason
    with pytest.raises(UserError, match=r"--on x: evaluate\.fmr cannot be shown by its pairs: .* 1000 impostor"):
        carried("x", pairs, (1e-3,))
    alone = pairs_of(of(3, identity=np.array([0, 1, 2])), "all", 0)
    with pytest.raises(UserError, match="no genuine pair"):
        carried("x", alone, (0.5,))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"count": 0}, "holds no image"),
        ({"identity": np.zeros(6, int)}, "all images show one identity"),
        ({}, "neither identities nor pairs"),
    ],
)
def test_sets_without_what_is_needed_are_refused(fields, told):
    with pytest.raises(UserError, match=told):
        of(**fields)
