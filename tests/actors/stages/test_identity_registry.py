"""The registry: greedy uniqueness in candidate order, rebuilt from its ledger."""

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.actors.stages.identity_registry import IdentityRegistry
from synfiqa.schemas.rows import CANDIDATES


def unit(number: int, vectors: list, statuses: list[str] | None = None) -> pa.Table:
    rows = [
        {
            "candidate": number * 10 + index,
            "unit": number,
            "embedding": None if vector is None else [float(v) for v in vector],
            "status": (statuses or [""] * len(vectors))[index],
            "reason": "yaw" if vector is None else "",
        }
        for index, vector in enumerate(vectors)
    ]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def outcome(table: pa.Table) -> list[tuple]:
    return [(row["status"], row["reason"], row["identity"]) for row in table.to_pylist()]


X, Y, NEAR_X = [1, 0], [0, 1], [0.8, 0.6]


def test_the_first_of_two_similar_candidates_is_kept_and_the_second_keeps_its_similarity():
    decided = IdentityRegistry(10, max_similarity=0.5).decide(unit(0, [X, NEAR_X, Y]))
    assert outcome(decided) == [("accepted", "", 0), ("rejected", "duplicate", None), ("accepted", "", 1)]
    assert decided["value"][1].as_py() == pytest.approx(0.8)


def test_candidate_order_decides_not_quality():
    decided = IdentityRegistry(10, max_similarity=0.5).decide(unit(0, [NEAR_X, X]))
    assert outcome(decided)[1] == ("rejected", "duplicate", None)


def test_a_similarity_equal_to_the_limit_is_accepted():
    decided = IdentityRegistry(10, max_similarity=0.75).decide(unit(0, [[1, 0], [0.75, 0.66143783]]))
    assert [row[0] for row in outcome(decided)] == ["accepted", "accepted"]


def test_filter_rejects_pass_through_and_are_counted_by_reason():
    registry = IdentityRegistry(10, 0.5)
    decided = registry.decide(unit(0, [None, X], ["rejected", ""]))
    assert outcome(decided) == [("rejected", "yaw", None), ("accepted", "", 0)]
    assert registry.reasons == {"yaw": 1}


def test_what_comes_after_the_target_is_surplus_so_planned_is_accepted_plus_rejected():
    registry = IdentityRegistry(1, 0.5)
    decided = registry.decide(unit(0, [X, Y]))
    assert outcome(decided) == [("accepted", "", 0), ("rejected", "surplus", None)]
    assert registry.complete
    assert registry.accepted + registry.reasons.total() == decided.num_rows


@pytest.mark.parametrize("cut", range(6))
def test_restoring_from_the_ledger_at_any_unit_decides_as_if_never_interrupted(cut):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    units = [unit(n, list(vectors[n * 5 : n * 5 + 5])) for n in range(6)]
    whole = IdentityRegistry(12, 0.6)
    expected = [whole.decide(table) for table in units]
    resumed = IdentityRegistry(12, 0.6)
    for table in expected[:cut]:
        resumed.restore(table)
    for table, wanted in zip(units[cut:], expected[cut:], strict=True):
        assert resumed.decide(table).equals(wanted)
    assert (resumed.accepted, resumed.reasons) == (whole.accepted, whole.reasons)


@pytest.mark.parametrize("together", [1, 2, 3, 6])
def test_units_decided_together_are_decided_as_one_by_one(together):
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(30, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    units = [unit(n, list(vectors[n * 5 : n * 5 + 5])) for n in range(6)]
    units[2] = unit(2, [None, *vectors[10:13], None], ["rejected", "", "", "", "dead"])
    single, grouped = IdentityRegistry(12, 0.9), IdentityRegistry(12, 0.9)
    expected = [single.decide(table) for table in units]
    found = [
        table for first in range(0, 6, together) for table in grouped.decide_units(units[first : first + together])
    ]
    assert all(one.equals(other) for one, other in zip(found, expected, strict=True))
    assert (grouped.accepted, grouped.reasons, grouped.dead) == (single.accepted, single.reasons, single.dead)


def test_a_unit_counts_when_it_is_asked_for_so_that_a_caller_may_stop():
    registry = IdentityRegistry(1, 0.5)
    decided = registry.decide_units([unit(0, [X]), unit(1, [Y])])
    next(decided)
    assert (registry.decided, registry.next_candidate) == (1, 1)


def test_nothing_is_searched_once_enough_are_accepted(monkeypatch):
    """Each candidate of the last unit used to be compared with all identities, for nothing."""
    registry = IdentityRegistry(1, 0.5)
    registry.decide(unit(0, [X]))
    monkeypatch.setattr(registry, "_identities", None)
    decided = registry.decide(unit(1, [Y, NEAR_X]))
    assert outcome(decided) == [("rejected", "surplus", None)] * 2
