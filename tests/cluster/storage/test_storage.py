import errno
import multiprocessing
import os
import pickle
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable, UserError


@pytest.fixture(params=["path", "file", "memory"])
def storage(request, tmp_path):
    url = {
        "path": str(tmp_path / "run"),
        "file": f"file://{tmp_path}/run",
        "memory": f"memory://{uuid.uuid4().hex}/run",
    }
    return Storage(url[request.param])


def test_an_object_comes_back_whole_and_a_second_write_replaces_it(storage):
    storage.write("samples/a.bin", b"one")
    assert (storage.read("samples/a.bin"), storage.size("samples/a.bin")) == (b"one", 3)
    storage.write("samples/a.bin", b"")
    assert (storage.read("samples/a.bin"), storage.size("samples/a.bin")) == (b"", 0)


def test_create_never_replaces(storage):
    assert storage.create("commits/a.json", b"first")
    assert not storage.create("commits/a.json", b"second")
    assert storage.read("commits/a.json") == b"first"


def test_a_missing_object_is_not_found_and_may_be_deleted_again(storage):
    with pytest.raises(FileNotFoundError):
        storage.read("nothing")
    assert not storage.exists("nothing")
    storage.delete("nothing")
    storage.write("nothing", b"x")
    assert storage.exists("nothing")
    storage.delete("nothing")
    assert not storage.exists("nothing")


def test_a_folder_is_no_object(storage):
    storage.write("folder/file", b"x")
    assert not storage.exists("folder")


def test_list_is_sorted_relative_recursive_and_limited_to_its_folder(storage):
    assert storage.list("commits") == []
    assert storage.list() == []
    assert storage.entries() == []
    for path in ("commits/b", "commits/a", "commits/deep/c", "commits-old/d", "run.json"):
        storage.write(path, b"x")
    assert storage.list("commits") == ["commits/a", "commits/b", "commits/deep/c"]
    assert storage.list() == ["commits-old/d", "commits/a", "commits/b", "commits/deep/c", "run.json"]
    assert storage.entries() == ["commits", "commits-old", "run.json"]


def test_many_objects_are_read_in_the_order_asked_for(storage):
    for name in "abc":
        storage.write(f"x/{name}", name.encode())
    assert storage.read_many(["x/c", "x/a", "x/b"]) == [b"c", b"a", b"b"]
    assert storage.read_many([]) == []
    with pytest.raises(FileNotFoundError):
        storage.read_many(["x/a", "x/missing"])


def test_a_part_of_an_object_is_read_and_its_end_is_told(storage):
    storage.write("a", bytes(range(100)))
    assert storage.read_range("a", 10, 5) == bytes(range(10, 15))
    with pytest.raises(EOFError, match="before byte 101"):
        storage.read_range("a", 98, 3)
    with pytest.raises(FileNotFoundError):
        storage.read_range("b", 0, 1)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/./b", "", "a/", "..\\x", "a\0b", "./a"]
)
def test_no_path_leaves_the_folder(storage, path):
    for use in (storage.read, storage.exists, storage.delete, storage.size):
        with pytest.raises(ValueError, match="relative path"):
            use(path)
    for use in (storage.write, storage.create):
        with pytest.raises(ValueError, match="relative path"):
            use(path, b"x")
    if path:
        with pytest.raises(ValueError, match="relative path"):
            storage.list(path)


def test_glob_characters_are_ordinary_characters(storage):
    storage.write("a[1]*?.bin", b"odd")
    storage.write("a1x.bin", b"other")
    assert storage.read("a[1]*?.bin") == b"odd"
    assert storage.read_many(["a[1]*?.bin"]) == [b"odd"]


def test_a_pickled_storage_works_in_another_place(storage, tmp_path, monkeypatch):
    storage.write("a", b"x")
    data = pickle.dumps(storage)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(data).read("a") == b"x"
    assert pickle.loads(pickle.dumps(Storage(storage.url, 7))).retry_budget_s == 7
    assert len(data) < 500


def test_a_relative_folder_stays_where_it_was_when_the_working_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = Storage("runs/a")
    storage.write("x", b"1")
    monkeypatch.chdir("/")
    assert storage.read("x") == b"1"
    assert storage.local() == tmp_path / "runs" / "a"


def test_a_failing_local_write_leaves_the_old_object_and_no_temporary_file(tmp_path, monkeypatch):
    storage = Storage(str(tmp_path))
    storage.write("a", b"old")

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    for use in (storage.write, storage.create):
        with pytest.raises(StorageRefused, match="the disk is full; make room"):
            use("a" if use == storage.write else "b", b"new")
    assert storage.read("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_writer_leaves_behind_is_never_listed(tmp_path):
    storage = Storage(str(tmp_path))
    storage.write("samples/a", b"x")
    (tmp_path / "samples" / ".tmp-0123").write_bytes(b"half")
    assert storage.list() == ["samples/a"]


def test_local_create_works_where_hard_links_do_not(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    storage = Storage(str(tmp_path))
    assert storage.create("a", b"1")
    assert not storage.create("a", b"2")
    assert storage.read("a") == b"1"
    assert storage.list() == ["a"]


def test_one_of_many_racing_threads_creates(storage):
    start = threading.Barrier(8)
    made = []

    def race(number):
        start.wait()
        if storage.create("one", str(number).encode()):
            made.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert storage.read("one") == str(made[0]).encode()


def _create_many(storage, writer):
    return [n for n in range(50) if storage.create(f"commits/{n}", f"{writer}".encode() * 1000)]


def test_racing_processes_create_each_object_once(tmp_path):
    storage = Storage(str(tmp_path))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.starmap(_create_many, [(storage, 1), (storage, 2)])
    assert sorted(first + second) == list(range(50))
    for number in range(50):
        assert storage.read(f"commits/{number}") == (b"1" if number in first else b"2") * 1000


def test_stat_gives_length_and_time_of_everything_hidden_files_too(storage):
    assert storage.stat() == storage.stat("samples") == []
    before = storage.now()
    for path, data in (("samples/b", b"12"), ("samples/.tmp-1", b"123"), ("commits/a", b"")):
        storage.write(path, data)
    entries = storage.stat()
    assert [(entry.path, entry.bytes) for entry in entries] == [
        ("commits/a", 0),
        ("samples/.tmp-1", 3),
        ("samples/b", 2),
    ]
    assert storage.stat("samples") == entries[1:]
    assert all(before <= entry.modified <= storage.now() for entry in entries)


def test_reading_the_clock_leaves_no_file(storage):
    assert abs(storage.now() - time.time()) < 5
    assert storage.stat() == []
    if folder := storage.local():
        assert list(folder.iterdir()) == []


def test_create_if_absent_is_tested_on_the_store_itself(storage, monkeypatch):
    """The check that precedes a create would hide the behaviour of the store."""
    monkeypatch.setattr(Storage, "_is_there", lambda *_: pytest.fail("checked before the put"))
    assert storage.enforces_create()
    assert storage.stat() == []


def test_a_disk_without_hard_links_does_not_enforce_create(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert not Storage(str(tmp_path)).enforces_create()
    assert Storage(str(tmp_path)).stat() == []


def test_a_refused_create_whose_object_is_our_own_succeeds(tmp_path, monkeypatch):
    """A network file system repeats a link whose answer was lost, and then reports that the name exists."""
    link = os.link

    def twice(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    storage = Storage(str(tmp_path))
    assert storage.create("commits/a", b"mine")
    assert not storage.create("commits/a", b"mine")


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EAGAIN])
def test_transient_disk_errors_are_retried(tmp_path, monkeypatch, number):
    sync, left = os.fsync, [3]

    def failing(handle):
        if left[0]:
            left[0] -= 1
            raise OSError(number, "transient")
        sync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    storage = Storage(str(tmp_path), 30)
    assert storage.create("a", b"x")
    storage.write("b", b"y")
    assert storage.read_many(["a", "b"]) == [b"x", b"y"]
    assert left == [0]
    assert storage.list() == [path.name for path in sorted(tmp_path.iterdir())] == ["a", "b"]


def test_a_disk_that_fails_for_good_is_unavailable(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(StorageUnavailable, match=r"cannot list .*Input/output error.* for longer than 0\.05 s"):
        Storage(str(tmp_path), 0.05).list()


def test_a_folder_without_read_permission_is_not_treated_as_empty(tmp_path, monkeypatch):
    """Path.walk() skips it, so that a run would seem to have no commits."""

    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(StorageRefused, match=r"cannot list .*access is denied"):
        Storage(str(tmp_path)).list()


def test_a_folder_deleted_during_a_write_is_made_again(tmp_path, monkeypatch):
    """Workers prune the folders of their marks while others write to them."""
    storage, opened = Storage(str(tmp_path)), Path.open

    def open_late(path, *args, **kwargs):
        if not left:
            path.parent.rmdir()
            left.append(path)
        return opened(path, *args, **kwargs)

    left: list[Path] = []
    monkeypatch.setattr(Path, "open", open_late)
    storage.write("attempts/a", b"x")
    assert storage.read("attempts/a") == b"x"


def test_a_truncated_answer_of_any_store_is_read_again(monkeypatch):
    """Some clients do not compare the bytes read with the length in the store's metadata."""
    whole, left = MemoryFileSystem.cat_file, [4]

    def short(self, path, start=None, end=None, **kwargs):
        left[0] -= 1
        return whole(self, path, start, end, **kwargs)[: -1 if left[0] >= 0 else None]

    storage = Storage(f"memory://{uuid.uuid4().hex}", 30)
    storage.write("a", b"whole")
    monkeypatch.setattr(MemoryFileSystem, "cat_file", short)
    assert storage.read_many(["a", "a"]) == [b"whole", b"whole"]
    left[0] = 2
    assert storage.read("a") == b"whole"


def test_an_unknown_kind_of_url_is_a_user_error():
    with pytest.raises(UserError, match="cannot open the run folder"):
        Storage("nosuchstore://bucket/run")


def test_lost_credentials_are_not_treated_as_a_missing_object(monkeypatch):
    def denied(self, path, **_):
        raise PermissionError("AccessDenied")

    storage = Storage(f"memory://{uuid.uuid4().hex}")
    monkeypatch.setattr(MemoryFileSystem, "info", denied)
    for use in (storage.exists, storage.delete, lambda path: storage.create(path, b"x")):
        with pytest.raises(StorageRefused, match="access is denied"):
            use("run.json")


def test_credentials_are_shown_nowhere():
    assert redact("sftp://me:pw@host:22/runs/a?token=1#x") == "sftp://host:22/runs/a"
    assert redact("runs/a?b@c") == "runs/a?b@c"
    shown = Storage("memory://me:secret@host/run")
    assert "secret" not in shown.uri("a/b") + shown.uri() + repr(shown)


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [("gs://bucket/run", "gcsfs", "gcs"), ("abfs://container@account/run", "adlfs", "azure")],
)
def test_a_store_whose_client_is_not_installed_is_named_with_the_line_that_installs_it(monkeypatch, url, module, extra):
    """The remedy was "give a local path or a URL that fsspec supports", which these URLs are."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError) as error:
        Storage(url)
    assert f"cannot open the run folder {url}: the client of this store is not installed" in str(error.value)
    assert f"uv sync --extra {extra}" in str(error.value)


def test_azure_urls_keep_their_container_and_lose_secrets():
    assert redact("abfs://container@account.dfs.core.windows.net/run?sig=x") == (
        "abfs://container@account.dfs.core.windows.net/run"
    )
    assert "secret" not in redact("abfs://name:secret@account/run")


def test_a_path_that_the_locale_cannot_read_is_named_with_the_variable_that_cures_it():
    """In a C locale such a path was reported as missing, with the advice to generate a run there."""
    with pytest.raises(UserError, match=r"cannot be read in the locale of this process: set LC_ALL=C\.UTF-8"):
        Storage("/data/" + "ü".encode().decode("ascii", "surrogateescape"))
