"""Commits are read from an index where one is valid, and from themselves in every other case."""

import pytest

from benchmarks.speed.growth.virtual_store import VirtualClock, VirtualStore
from synfiqa.cluster.commits import commit_index
from synfiqa.cluster.commits.commit_index import INDEX, parse_index
from synfiqa.cluster.commits.shard_store import ShardStore, commit_path
from synfiqa.schemas.errors import StorageRefused
from synfiqa.schemas.rows import CANDIDATES

COUNTS = {"planned": 0, "accepted": 0, "rejected": 0, "dead": 0}


@pytest.fixture
def double(monkeypatch):
    """A store of six commits, the last of which is too young for an index; three commits are many."""
    monkeypatch.setattr(commit_index, "MANY", 3)
    double = VirtualStore(VirtualClock(), 0.01)
    for number in range(6):
        double.clock.now += 60
        ShardStore(double.storage(), "f" * 64).commit("identities", number, CANDIDATES.empty_table(), COUNTS)
    return double


def read(double):
    """Return the commits as a new reader finds them, and how many requests it sent."""
    before = double.requests
    return ShardStore(double.storage(), "f" * 64).committed("identities"), double.requests - before


def indexes(double):
    return [path for path in double._objects if INDEX.fullmatch(path)]


def test_the_second_reader_sends_few_requests_for_the_same_commits(double):
    first, many = read(double)
    second, few = read(double)
    assert second == first
    assert list(first) == list(range(6))
    assert (many, few) == (1 + 1 + 6 + 1, 1 + 1 + 1 + 1)


def test_a_store_reads_each_commit_once(double):
    store = ShardStore(double.storage(), "f" * 64)
    first, before = store.all_committed(), double.requests
    assert store.all_committed() == first
    assert double.requests - before == 1


@pytest.mark.parametrize("harm", ["deleted", "damaged", "of another name"])
def test_an_index_that_cannot_be_used_changes_nothing(double, harm):
    first, _ = read(double)
    (path,) = indexes(double)
    data, at = double._objects.pop(path)
    if harm == "damaged":
        double._objects[path] = (data[:-9], at)
    elif harm == "of another name":
        double._objects[path.replace(path[20], "0" if path[20] != "0" else "1")] = (data, at)
    assert read(double)[0] == first


def test_a_commit_that_was_replaced_or_removed_is_not_taken_from_the_index(double):
    """Without create-if-absent a commit of equal length may replace another, whose data gc removes then."""
    read(double)
    name = commit_path("identities", 2)
    data, _ = double._objects[name]
    start = data.index(b"identities/unit-000002-") + len(b"identities/unit-000002-")
    double._objects[name] = (data[:start] + b"0" * 12 + data[start + 12 :], double.clock.now)
    del double._objects[commit_path("identities", 4)]
    found, _ = read(double)
    assert found[2].file.path == "identities/unit-000002-000000000000.parquet"
    assert 4 not in found


def test_a_reader_that_may_not_write_reads_on(double, monkeypatch):
    def refuse(path, data):
        raise StorageRefused("read-only")

    storage = double.storage()
    monkeypatch.setattr(storage, "write", refuse)
    assert len(ShardStore(storage, "f" * 64).committed("identities")) == 6
    assert indexes(double) == []


def test_the_index_holds_the_records_by_entry(double):
    read(double)
    (path,) = indexes(double)
    records = parse_index(path, double._objects[path][0])
    assert [entry.path for entry in records] == [commit_path("identities", number) for number in range(5)]
    with pytest.raises(ValueError, match="SHA-256"):
        parse_index(path, double._objects[path][0] + b" ")
