"""Status: the same numbers as the commits, without a driver."""

import os
import time
import uuid

import pytest

from synfiqa.cluster.commits.dataset_summary import summarise
from synfiqa.cluster.commits.shard_store import ShardStore, commit_path
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.status import read_status
from synfiqa.schemas.errors import UserError
from tests.cluster.finished_run import DEAD_SAMPLE, commit_shard, commit_unit, finished_run
from tests.cluster.synthetic import MODELS, config


@pytest.fixture(params=["local", "memory"])
def half(request, tmp_path):
    """A run whose second of three shards is not made yet; one sample of the first is dead."""
    storage = Storage(str(tmp_path) if request.param == "local" else f"memory://status-{uuid.uuid4().hex}")
    run = config(identities=6, per_shard=2)
    store = ShardStore(storage, open_run(storage, run, MODELS).fingerprint)
    commit_unit(store, 0)
    commit_unit(store, 1)
    commit_shard(store, 0, run, ("000001/7",))
    commit_shard(store, 2, run)
    return storage, store, run


def test_a_run_without_a_driver_is_unfinished_and_adds_up(half):
    storage, store, _ = half
    status = read_status(storage)
    assert (status.state, status.lease, status.driver) == ("unfinished", "no driver", None)
    assert status.shards.model_dump() == {"planned": 3, "done": 2}
    assert status.samples.model_dump() == {
        "planned": 84,
        "made": 56,
        "accepted": 55,
        "rejected": {},
        "dead": 1,
        "references": 8,
    }
    assert status.candidates.rejected == {"glasses": 2}
    summary = summarise(store.committed("identities").values(), store.committed("samples").values())
    shown = status.candidates
    assert (shown.planned, shown.accepted, shown.dead) == (summary.planned, summary.accepted, summary.dead)
    assert shown.planned == shown.accepted + sum(shown.rejected.values()) + shown.dead


def test_a_replayed_shard_counts_by_its_newest_revision_and_a_replayed_candidate_once(tmp_path):
    storage, store, _ = finished_run(tmp_path)
    assert DEAD_SAMPLE in {row.item for row in store.dead_rows(store.get("samples", 1))}
    status = read_status(storage)
    assert (status.state, status.samples.dead, status.samples.accepted) == ("finished", 0, 84)
    assert (status.labels, status.models, status.report) == (["default"], ["default"], True)
    assert status.reports == ["report/index.html"]
    table = store.read(store.committed("identities")[0]).slice(0, 3)
    counts = {"planned": 3, "accepted": 0, "rejected": 0, "dead": 3, "replayed": 0}
    store.commit("identities", 2, table, counts)
    counts = {"planned": 2, "accepted": 0, "rejected": 1, "dead": 1, "replayed": 2, "rejected:yaw": 1}
    store.commit("identities", 3, table.slice(0, 2), counts)
    candidates = read_status(storage).candidates
    assert (candidates.planned, candidates.accepted, candidates.dead) == (11, 6, 2)
    assert candidates.rejected == {"glasses": 2, "yaw": 1}


def test_a_driver_at_work_is_shown_with_its_own_pace(half):
    storage, _, _ = half
    with hold(storage, 0.6) as lease:
        lease.report({"phase": "samples", "unit": "images", "done": 56, "planned": 84, "rate": 12.5, "eta_s": 2.2})
        end = time.monotonic() + 5
        while not (status := read_status(storage)).driver.progress and time.monotonic() < end:
            time.sleep(0.02)
    assert (status.state, status.rate, status.eta_s) == ("running", 12.5, 2.2)
    assert f"pid {os.getpid()}" in status.lease
    assert status.driver.progress["done"] == 56
    assert read_status(storage).state == "unfinished"


def test_without_a_driver_the_rate_is_that_of_the_latest_shards(tmp_path):
    storage, _, _ = finished_run(tmp_path)
    for number, seconds in ((0, 40), (1, 30), (2, 20)):
        when = time.time() - seconds
        for revision in (0, 1) if number == 1 else (0,):
            os.utime(tmp_path / commit_path("samples", number, revision), (when, when))
    status = read_status(storage)
    assert status.rate == pytest.approx(28 / 10, rel=0.01), "a shard of 28 samples every ten seconds"
    assert status.eta_s is None, "no driver holds the run"


def test_unreadable_commits_are_counted_and_change_no_other_number(half):
    storage, _, _ = half
    storage.write("commits/shard-000001.json", b"\xff{")
    status = read_status(storage)
    assert (status.unreadable, status.samples.made) == (1, 56)


def test_a_commit_larger_than_one_read_is_read_whole(half):
    storage, _, _ = half
    path = commit_path("samples", 0)
    storage.write(path, b" " * 70_000 + storage.read(path))
    assert read_status(storage).samples.made == 56


def test_status_changes_nothing(half):
    storage, _, _ = half
    before = storage.stat()
    read_status(storage)
    assert storage.stat() == before


def test_a_new_run_and_no_run(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        read_status(Storage(str(tmp_path)))
    storage = Storage(str(tmp_path))
    open_run(storage, config(), MODELS)
    status = read_status(storage)
    assert (status.state, status.samples.made, status.rate) == ("unfinished", 0, None)
