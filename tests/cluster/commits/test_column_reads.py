"""Columns of large files are read without the others, in order, concurrently, and damage is named."""

import threading

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.cluster.commits import column_reads
from synfiqa.cluster.commits.column_reads import in_order
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.rows import CANDIDATES

COLUMNS = ["candidate", "status", "reason", "embedding"]


def unit(number: int, picture: int) -> pa.Table:
    rng = np.random.default_rng(number)
    rows = [
        {
            "candidate": 20 * number + row,
            "unit": number,
            "image": {"bytes": rng.bytes(picture), "path": f"{row}.jpg"},
            "embedding": None if row % 5 == 0 else rng.normal(size=64).astype(np.float32).tolist(),
            "status": "rejected" if row % 5 == 0 else "accepted",
            "reason": "yaw" if row % 5 == 0 else "",
        }
        for row in range(20)
    ]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


@pytest.fixture
def store(tmp_path):
    store = ShardStore(Storage(str(tmp_path), 0), "f" * 64)
    for number in range(5):
        # One small unit among large ones.
        table = unit(number, 10 if number == 3 else 60_000)
        store.commit("identities", number, table, {"planned": 20, "accepted": 16, "rejected": 4, "dead": 0})
    return store


@pytest.fixture
def fetched(store, monkeypatch):
    """The bytes of each range that is fetched."""
    sizes, fetch = [], store.storage._store.read_range

    def read_range(path, start, length):
        sizes.append(length)
        return fetch(path, start, length)

    monkeypatch.setattr(store.storage._store, "read_range", read_range)
    return sizes


@pytest.mark.parametrize("tail", [column_reads.TAIL, 2000])
def test_columns_read_alone_are_those_of_the_whole_file(store, monkeypatch, tail):
    monkeypatch.setattr(column_reads, "TAIL", tail)
    commits = list(store.committed("identities").values())
    found = list(store.read_each(commits, COLUMNS))
    assert all(one.equals(store.read(commit, COLUMNS)) for one, commit in zip(found, commits, strict=True))


def test_pictures_are_not_fetched(store, fetched):
    commits = list(store.committed("identities").values())
    list(store.read_each(commits, COLUMNS))
    assert sum(fetched) < 0.3 * sum(commit.file.bytes for commit in commits)
    assert len(fetched) == 2 * 4, "head and tail of each large unit"


@pytest.mark.parametrize("trouble", ["flipped", "short", "missing"])
def test_damage_in_a_column_is_named(store, trouble):
    """The digest of a file cannot be compared when only a part is read: the checksums of its pages are."""
    commit = store.committed("identities")[1]
    path = store.storage._store.root / commit.file.path
    data = bytearray(path.read_bytes())
    place = data.rindex(b"embedding") - 3000
    data[place] ^= 1
    {
        "flipped": lambda: path.write_bytes(data),
        "short": lambda: path.write_bytes(data[:-100]),
        "missing": path.unlink,
    }[trouble]()
    with pytest.raises(JobFailed, match=commit.file.path):
        list(store.read_each([commit], COLUMNS))


def test_reads_run_side_by_side_and_results_keep_their_order():
    both = threading.Barrier(2, timeout=30)

    def read(number):
        if number < 2:
            both.wait()
        return number

    assert list(in_order(read, range(300))) == list(range(300))


def test_an_error_comes_in_the_place_of_its_result():
    def read(number):
        if number == 2:
            raise ValueError("third")
        return number

    found = in_order(read, range(100))
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="third"):
        next(found)
