import json
import threading

import pyarrow as pa
import pytest
from pydantic import ValidationError

from synfiqa.cluster.commits import shard_store
from synfiqa.cluster.commits.shard_formats import content_digest
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import SAMPLES
from tests.cluster import synthetic


class Crash(BaseException):
    """Stands for SIGKILL: the code under test must not catch it."""


class CrashingStorage(Storage):
    """Raises Crash at the N-th operation, before or right after its effect."""

    def __init__(self, url, steps, after):
        super().__init__(url)
        self.steps, self.after = steps, after

    def _step(self, operation, *arguments):
        self.steps -= 1
        if self.steps < 0 or (self.steps == 0 and not self.after):
            raise Crash
        result = operation(*arguments)
        if self.steps == 0:
            raise Crash
        return result

    def write_unique(self, path, data):
        return self._step(super().write_unique, path, data)

    def create(self, path, data):
        return self._step(super().create, path, data)

    def size(self, path):
        return self._step(super().size, path)

    def read(self, path):
        return self._step(super().read, path)

    def delete(self, path):
        return self._step(super().delete, path)


@pytest.fixture(scope="module")
def table():
    return synthetic.samples(range(2), degraded=3)


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path / "run"))


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_a_shard_exists_once_committed_and_reads_back(storage, table, format):
    store = ShardStore(storage, "f" * 64, format)
    commit = store.commit("samples", 3, table, {"reference": 4}, {"node": "a"})
    assert store.committed("samples") == {3: commit}
    assert store.committed("identities") == {}
    assert commit.file.rows == table.num_rows
    assert commit.content_sha256 == content_digest(table)
    assert store.read(commit).equals(table)
    assert store.read(commit, ["blur"]).equals(table.select(["blur"]))
    ending = {"parquet": ".parquet", "webdataset": ".tar"}[format]
    assert commit.file.path.startswith("samples/shard-000003-")
    assert commit.file.path.endswith(ending)
    assert storage.list("commits") == ["commits/shard-000003.json"]


def test_a_reader_detects_the_format(storage, table):
    commit = ShardStore(storage, "f", "webdataset").commit("samples", 0, table, {})
    assert ShardStore(storage, "f").read(commit).equals(table)


def test_the_ledger_stays_parquet(storage):
    ledger = synthetic.candidates(range(4))
    commit = ShardStore(storage, "f", "webdataset").commit("identities", 1, ledger, {"accepted": 4})
    assert commit.file.path.startswith("identities/unit-000001-")
    assert commit.file.path.endswith(".parquet")
    assert storage.list("commits") == ["commits/unit-000001.json"]


def test_shards_come_in_number_order_past_six_digits(storage, table):
    store = ShardStore(storage, "f")
    for number in (1_000_000, 999_999, 2):
        store.commit("samples", number, table, {})
    assert list(store.committed("samples")) == [2, 999_999, 1_000_000]
    assert len(list(store.tables("samples", ["sample_id"]))) == 3


def test_a_second_commit_returns_the_first(storage, table):
    store = ShardStore(storage, "f")
    first = store.commit("samples", 0, table, {}, {"attempt": "1"})
    assert store.commit("samples", 0, table, {}, {"attempt": "2"}) == first


def test_other_rows_from_the_same_recipe_are_a_failure_that_names_both(storage, table):
    store = ShardStore(storage, "f")
    first = store.commit("samples", 0, table, {})
    with pytest.raises(JobFailed, match=f"{first.content_sha256}.*{content_digest(table.slice(1))}"):
        store.commit("samples", 0, table.slice(1), {})
    assert store.committed("samples") == {0: first}
    assert store.read(first).equals(table)


def test_another_recipe_is_refused_by_writer_and_reader(storage, table):
    ShardStore(storage, "old").commit("samples", 0, table, {})
    other = ShardStore(storage, "new")
    with pytest.raises(UserError, match=r"another recipe .*--run"):
        other.commit("samples", 0, table, {})
    with pytest.raises(UserError, match="another recipe"):
        other.committed("samples")


def test_rows_of_another_schema_are_refused(storage, table):
    with pytest.raises(ValueError, match="columns are not those"):
        ShardStore(storage, "f").commit("samples", 0, table.drop_columns(["blur"]), {})
    assert storage.list() == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("steps", range(1, 4))
def test_a_crash_at_any_operation_leaves_nothing_or_the_whole_shard(storage, table, steps, after):
    with pytest.raises(Crash):
        ShardStore(CrashingStorage(storage.url, steps, after), "f").commit("samples", 0, table, {})
    store = ShardStore(storage, "f")
    seen = store.committed("samples")
    assert len(seen) == (1 if after and steps == 3 else 0)
    assert all(store.read(commit).equals(table) for commit in seen.values())
    again = store.commit("samples", 0, table, {})
    assert store.read(again).equals(table)
    assert seen in ({}, {0: again})


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("steps", range(1, 5))
def test_a_losing_writer_that_crashes_does_no_harm(storage, table, steps, after):
    store = ShardStore(storage, "f")
    first = store.commit("samples", 0, table, {})
    with pytest.raises(Crash):
        ShardStore(CrashingStorage(storage.url, steps, after), "f").commit("samples", 0, table, {})
    assert store.committed("samples") == {0: first}
    assert store.read(first).equals(table)


def test_a_create_whose_answer_was_lost_keeps_its_own_data(storage, table):
    class Retried(Storage):
        def create(self, path, data):
            super().create(path, data)
            return super().create(path, data)

    store = ShardStore(Retried(storage.url), "f")
    assert store.read(store.commit("samples", 0, table, {})).equals(table)


def test_a_short_upload_is_no_shard(storage, table):
    class Short(Storage):
        def write_unique(self, path, data):
            return super().write_unique(path, data[:-1])

    with pytest.raises(JobFailed, match=r"shard-000000-.* bytes after upload"):
        ShardStore(Short(storage.url), "f").commit("samples", 0, table, {})
    assert storage.list("commits") == []


@pytest.mark.parametrize("url", ["local", "memory"])
def test_racing_writers_make_one_commit(tmp_path, table, url):
    storage = Storage(str(tmp_path / "run") if url == "local" else f"memory://{tmp_path.name}/race")
    start, results = threading.Barrier(6), []

    def race(writer):
        start.wait()
        results.append(ShardStore(storage, "f").commit("samples", 0, table, {}, {"writer": str(writer)}))

    threads = [threading.Thread(target=race, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(result == results[0] for result in results)
    assert ShardStore(storage, "f").read(results[0]).equals(table)


def test_a_commit_lists_no_other_shard(storage, table, monkeypatch):
    monkeypatch.setattr(Storage, "list", lambda *_: pytest.fail("listed"))
    monkeypatch.setattr(Storage, "entries", lambda *_: pytest.fail("listed"))
    ShardStore(storage, "f").commit("samples", 0, table, {})


def test_every_flipped_byte_is_found_and_the_file_named(storage, table):
    store = ShardStore(storage, "f")
    commit = store.commit("samples", 7, table, {})
    data = bytearray(storage.read(commit.file.path))
    for position in (0, len(data) // 2, len(data) - 1):
        flipped = bytearray(data)
        flipped[position] ^= 1
        storage.write(commit.file.path, bytes(flipped))
        with pytest.raises(JobFailed, match=r"shard-000007-.* is damaged"):
            store.read(commit, ["sample_id"])
    storage.delete(commit.file.path)
    with pytest.raises(JobFailed, match=r"shard-000007-.* is committed but missing"):
        store.read(commit)


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b'{"kind": "samples"}', b"\xff"])
def test_an_incomplete_commit_is_reported(storage, text, monkeypatch):
    monkeypatch.setattr(shard_store, "_SETTLING_S", (0.001,))
    storage.write("commits/shard-000001.json", text)
    with pytest.raises(JobFailed, match=r"commits/shard-000001.json is not readable .*run again"):
        ShardStore(storage, "f").committed("samples")


def test_a_commit_that_is_still_being_written_is_read_again(storage, table, monkeypatch):
    """The rclone server shows objects while they are being written; a reader used to end with `not readable`."""
    monkeypatch.setattr(shard_store, "_SETTLING_S", (0.001, 0.001))
    store = ShardStore(storage, "f")
    commit = store.commit("samples", 1, table, {})
    whole = storage.read("commits/shard-000001.json")
    storage.write("commits/shard-000001.json", whole[:40])
    monkeypatch.setattr(shard_store.time, "sleep", lambda _: storage.write("commits/shard-000001.json", whole))
    assert store.committed("samples") == {1: commit}


def test_a_commit_under_another_number_is_reported(storage, table):
    store = ShardStore(storage, "f")
    store.commit("samples", 1, table, {})
    storage.write("commits/shard-000002.json", storage.read("commits/shard-000001.json"))
    with pytest.raises(JobFailed, match=r"shard-000002.json is the commit of samples 1"):
        store.committed("samples")


def test_a_commit_cannot_lead_out_of_the_folder(storage, table):
    store = ShardStore(storage, "f")
    store.commit("samples", 0, table, {})
    document = json.loads(storage.read("commits/shard-000000.json"))
    document["file"]["path"] = "../../etc/passwd"
    storage.write("commits/shard-000000.json", json.dumps(document).encode())
    with pytest.raises(ValueError, match="inside the run folder"):
        store.read(store.committed("samples")[0])


def test_files_that_are_no_commits_are_ignored(storage, table):
    store = ShardStore(storage, "f")
    store.commit("samples", 0, table, {})
    for stray in ("commits/shard-000001.json.bak", "commits/.DS_Store", "commits/x/shard-000009.json"):
        storage.write(stray, b"?")
    assert list(store.committed("samples")) == [0]


def test_the_dataset_digest_depends_on_content_alone(tmp_path, table):
    def digest(name, order, format="parquet", fingerprint="f", tables=None):
        tables = tables or (table, table.slice(2))
        store = ShardStore(Storage(str(tmp_path / name)), fingerprint, format)
        for number in order:
            store.commit("samples", number, tables[number], {}, {"time": name})
        store.commit("identities", 0, synthetic.candidates(range(2)), {})
        return store.dataset_digest()

    reference = digest("a", [0, 1])
    assert digest("b", [1, 0]) == reference
    assert digest("c", [0, 1], "webdataset", "g") == reference
    assert digest("d", [0]) != reference
    assert digest("e", [0, 1], tables=(table.slice(2), table)) != reference
    assert digest("f", [0, 1], tables=(table, table.slice(1))) != reference


def dead_row(item="000000/3"):
    return DeadRow(
        item=item, stage="annotator", error="ValueError: x", traceback="...", attempts=2, node="n", spec="{}"
    )


def test_dead_rows_are_committed_with_the_shard_they_are_missing_from(storage, table):
    store = ShardStore(storage, "f")
    counts = {"planned": table.num_rows + 1, "accepted": table.num_rows, "rejected": 0, "dead": 1}
    commit = store.commit("samples", 0, table, counts, dead=[dead_row()])
    assert store.dead_rows(store.get("samples", 0)) == [dead_row()]
    assert commit.dead.path.startswith("dead/shard-000000-")
    assert store.dead_rows(store.commit("samples", 1, table, {})) == []


def test_a_shard_of_which_every_row_is_dead_is_finished_work_in_any_format(storage):
    store = ShardStore(storage, "f", "webdataset")
    counts = {"planned": 1, "accepted": 0, "rejected": 0, "dead": 1}
    commit = store.commit("samples", 0, SAMPLES.empty_table(), counts, dead=[dead_row()])
    assert store.read(commit).equals(SAMPLES.empty_table())


def test_counts_that_do_not_add_up_are_refused_before_anything_is_written(storage, table):
    with pytest.raises(ValidationError, match="planned"):
        ShardStore(storage, "f").commit("samples", 0, table, {"planned": 9, "accepted": 8, "rejected": 0, "dead": 0})
    assert storage.list() == []


def test_a_replay_is_a_revision_that_readers_prefer_and_the_first_stays(storage, table):
    store = ShardStore(storage, "f")
    first = store.commit("samples", 4, table.slice(1), {}, dead=[dead_row()])
    second = store.commit("samples", 4, table, {}, revision=1)
    assert store.committed("samples") == {4: second}
    assert store.revisions("samples") == [first, second]
    assert store.read(first).equals(table.slice(1))
    assert storage.list("commits") == ["commits/shard-000004.json", "commits/shard-000004.r001.json"]


def test_two_attempts_may_differ_in_dead_rows_without_breaking_determinism(storage, table):
    """A transient error may make a row dead in one attempt only: the first commit remains."""
    store = ShardStore(storage, "f")
    first = store.commit("samples", 0, table.slice(1), {}, dead=[dead_row()])
    assert store.commit("samples", 0, table, {}) == first


def test_a_losing_writer_leaves_its_file_because_a_lost_commit_request_may_still_arrive(storage, table):
    """A store without create-if-absent once let a delayed commit name the file that its writer had removed."""
    store = ShardStore(storage, "f")
    first = store.commit("samples", 0, table, {})
    assert store.commit("samples", 0, table, {}) == first
    assert len(storage.list("samples")) == 2


def test_a_writer_suspended_while_its_upload_was_collected_uploads_it_again(storage, table):
    class Collected(Storage):
        def create(self, path, data):
            for found in self.list("samples"):
                self.delete(found)
            return super().create(path, data)

    store = ShardStore(Collected(storage.url), "f")
    commit = store.commit("samples", 0, table, {})
    assert ShardStore(storage, "f").read(commit).equals(table)


def test_a_chunked_table_commits_like_a_whole_one(storage, table):
    store = ShardStore(storage, "f")
    first = store.commit("samples", 0, table, {})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert store.commit("samples", 1, chunked, {}).content_sha256 == first.content_sha256
