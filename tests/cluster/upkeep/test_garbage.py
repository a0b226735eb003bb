"""Garbage collection removes old files that no commit names, and nothing else."""

import os
import time
import uuid

import pytest

from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.garbage import collect_garbage, find_garbage
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.schemas.errors import JobFailed, UserError
from tests.cluster.finished_run import commit_shard, finished_run

DAY = 24 * 3600.0
LEAVINGS = [
    "attempts/session/samples-3/0123",
    "dead/shard-000001-aaaaaaaaaaaa.parquet",
    "events/process-0123456789ab.json",
    "identities/unit-000000-aaaaaaaaaaaa.parquet",
    "labels/default/shard-000000-aaaaaaaaaaaa.parquet",
    "lease/000001.json",
    "models/default/.tmp-0123",
    "samples/.tmp-0123",
    "samples/shard-000000-aaaaaaaaaaaa.parquet",
    "samples/shard-000000-bbbbbbbbbbbb.tar",
]


def age(storage: Storage, path: str, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(storage.local() / path, (when, when))


def leave(storage: Storage, *paths: str, seconds: float = 2 * DAY) -> None:
    for path in paths:
        storage.write(path, b"12345")
        age(storage, path, seconds)


def every(storage: Storage) -> set[str]:
    return {entry.path for entry in storage.stat()}


@pytest.fixture
def run(tmp_path):
    storage, store, settings = finished_run(tmp_path / "run")
    for entry in storage.stat():
        age(storage, entry.path, 10 * DAY)
    return storage, store, settings


def test_files_that_no_commit_names_are_removed_and_all_others_kept(run):
    storage, store, _ = run
    before = every(storage)
    leave(storage, *LEAVINGS)
    storage.write("lease/000002.json", b"{}")
    age(storage, "lease/000002.json", 2 * DAY)
    found = collect_garbage(storage)
    assert [garbage.path for garbage in found.garbage] == sorted(LEAVINGS)
    assert sum(garbage.bytes for garbage in found.garbage) == 5 * len(LEAVINGS)
    assert every(storage) == before | {"lease/000002.json"}, "the newest epoch is kept, or numbers would start again"
    assert verify_run(storage).problems == []
    assert collect_garbage(storage).garbage == []
    assert store.get("samples", 1).dead.path in before, "superseded revisions and their dead rows count as committed"


def test_young_leftovers_are_kept_and_counted(run):
    storage, _, _ = run
    leave(storage, *LEAVINGS, seconds=100)
    storage.write("lease/000002.json", b"{}")
    before = every(storage)
    found = collect_garbage(storage)
    assert found.garbage == []
    assert found.young == len(LEAVINGS)
    assert every(storage) == before


def test_a_dry_run_removes_nothing(run):
    storage, _, _ = run
    leave(storage, *LEAVINGS)
    before = every(storage)
    assert find_garbage(storage) == collect_garbage(storage, dry_run=True)
    assert len(collect_garbage(storage, dry_run=True).garbage) == len(LEAVINGS) - 1
    assert every(storage) == before


def test_foreign_files_and_other_generations_stay(run):
    storage, _, _ = run
    kept = [
        "notes.txt",
        "samples/shard-000000.parquet",
        "samples/backup/shard-000000-aaaaaaaaaaaa.parquet",
        "dead/samples-000001.json",
        "generation-000002/samples/shard-000000-aaaaaaaaaaaa.parquet",
        "models/default/checkpoints/x/state.pt",
    ]
    leave(storage, *kept)
    assert collect_garbage(storage).garbage == []


def test_parts_of_a_running_label_pass_are_kept(run):
    """Parts are named by content, so a repeated pass may name a file that an earlier attempt has left behind."""
    storage, _, _ = run
    leave(storage, "labels/second/shard-000000-aaaaaaaaaaaa.parquet")
    assert collect_garbage(storage).garbage == []


class Racing(Storage):
    """Store that calls `then` right after the files have been listed."""

    then = None

    def stat(self, prefix: str = ""):
        entries = super().stat(prefix)
        if self.then is not None and not prefix:
            then, self.then = self.then, None
            then()
        return entries


def test_a_file_committed_during_gc_is_kept(run):
    """With the commits read before the files, the shard below would lose its data."""
    storage, store, settings = run
    (storage.local() / "commits/shard-000002.json").unlink()
    racing = Racing(storage.url)
    leave(storage, "samples/shard-000002-aaaaaaaaaaaa.parquet")

    def commit():
        real = uuid.uuid4
        uuid.uuid4 = lambda: type("Fixed", (), {"hex": "a" * 32})
        try:
            commit_shard(store, 2, settings)
        finally:
            uuid.uuid4 = real

    racing.then = commit
    collect_garbage(racing)
    assert store.get("samples", 2).file.path == "samples/shard-000002-aaaaaaaaaaaa.parquet"
    store.read(store.get("samples", 2))


def test_a_driver_that_starts_during_gc_is_detected(run):
    storage, _, _ = run
    leave(storage, "samples/shard-000000-aaaaaaaaaaaa.parquet", seconds=10)
    racing, driver = Racing(storage.url), hold(storage, 60)
    racing.then = driver.__enter__
    with pytest.raises(UserError, match="held by generate"):
        collect_garbage(racing, older_than_s=5)
    driver.__exit__(None, None, None)
    assert storage.exists("samples/shard-000000-aaaaaaaaaaaa.parquet")


def test_a_short_age_is_refused_while_a_driver_holds_the_run(run):
    storage, _, _ = run
    leave(storage, "samples/shard-000000-aaaaaaaaaaaa.parquet", seconds=130)
    with hold(storage, 60):
        with pytest.raises(UserError, match="give --older-than 120s or more, or wait until it has ended"):
            collect_garbage(storage, older_than_s=119)
        assert len(collect_garbage(storage, older_than_s=120).garbage) == 1
    leave(storage, "samples/shard-000000-aaaaaaaaaaaa.parquet", seconds=1)
    assert len(collect_garbage(storage, older_than_s=0.5).garbage) == 1, "the run is no longer held"


def test_an_unreadable_commit_stops_everything(run):
    storage, _, _ = run
    leave(storage, *LEAVINGS)
    storage.write("commits/shard-000002.json", b"{")
    before = every(storage)
    with pytest.raises(JobFailed, match="nothing was removed"):
        collect_garbage(storage)
    assert every(storage) == before


def test_ages_are_those_of_the_clock_of_the_store(run, monkeypatch):
    storage, _, _ = run
    leave(storage, "samples/shard-000000-aaaaaaaaaaaa.parquet", seconds=0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert collect_garbage(storage).garbage == []
    monkeypatch.setattr(Storage, "now", lambda self: 1e12)
    assert len(collect_garbage(storage, threads=4).garbage) == 1


def test_it_works_on_a_store_of_objects():
    storage = Storage(f"memory://gc-{uuid.uuid4().hex}")
    storage.write("samples/shard-000000-aaaaaaaaaaaa.parquet", b"x")
    assert [garbage.kind for garbage in collect_garbage(storage, older_than_s=0).garbage] == ["uncommitted data"]
    assert storage.list() == []
