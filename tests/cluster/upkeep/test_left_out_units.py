"""Ledger units that a killed driver left out of a group, and indexes of commits, in verify and gc."""

import os

import pytest

from synfiqa.cluster.commits import commit_index
from synfiqa.cluster.commits.ledger_commits import DecidedUnit, LedgerGroups, complete_ledger
from synfiqa.cluster.commits.shard_store import ShardStore, commit_path
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.garbage import collect_garbage
from synfiqa.cluster.upkeep.verify import verify_run
from tests.cluster.finished_run import RUN, ledger_rows
from tests.cluster.synthetic import MODELS, config

COUNTS = {"planned": 4, "accepted": 3, "rejected": 1, "dead": 0, "replayed": 0, "rejected:glasses": 1}


@pytest.fixture
def store(tmp_path):
    """A run of two ledger units in one group."""
    storage = Storage(str(tmp_path / "run"))
    store = ShardStore(storage, open_run(storage, config(**RUN), MODELS).fingerprint)
    units = [DecidedUnit(unit, ledger_rows(unit, unit * 3, 3, 1), COUNTS, {}) for unit in range(2)]
    LedgerGroups(store).commit(units)
    return store


def test_a_unit_that_was_left_out_is_no_damage_and_the_next_driver_creates_it(store):
    storage, left_out = store.storage, commit_path("identities", 1)
    whole = store.committed("identities")
    storage.delete(left_out)
    found = verify_run(storage, threads=1)
    assert found.problems == []
    assert any("ledger unit 1 was left out" in note for note in found.notes)
    assert found.leftovers == {}
    assert collect_garbage(storage, 0.0).garbage == []
    assert complete_ledger(ShardStore(storage, store.fingerprint)) == whole
    assert storage.exists(left_out)


def test_gc_keeps_the_newest_index_and_verify_names_a_damaged_one(store, monkeypatch):
    monkeypatch.setattr(commit_index, "MANY", 0)
    monkeypatch.setattr(commit_index, "SETTLED_S", 0.0)
    storage = store.storage
    ShardStore(storage, store.fingerprint).all_committed()
    (path,) = storage.list("index")
    assert verify_run(storage, threads=1).problems == []
    past = "index/commits-" + "0" * 64 + ".parquet"
    storage.write(past, b"damaged")
    os.utime(storage.local() / past, (1, 1))
    (problem,) = verify_run(storage, threads=1).problems
    assert (problem.path, problem.kind) == (past, "damaged")
    assert [item.path for item in collect_garbage(storage, 0.0).garbage] == [past]
    assert storage.list("index") == [path]
