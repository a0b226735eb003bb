"""The preflight on disks and memory; S3 servers are in test_s3.py."""

import shutil
import uuid
from collections import namedtuple

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from synfiqa.cluster.storage.local import LocalStore
from synfiqa.cluster.storage.preflight import SPARE_BYTES, preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable, UserError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(params=["disk", "memory"])
def storage(request, tmp_path):
    return Storage(str(tmp_path / "deep/run") if request.param == "disk" else f"memory://{uuid.uuid4().hex}/run")


def test_a_sound_store_passes_and_nothing_is_left(storage):
    storage.write("commits/a", b"x")
    assert preflight(storage).create_if_absent == "enforced"
    assert [entry.path for entry in storage.stat()] == ["commits/a"]
    if folder := storage.local():
        assert sorted(path.name for path in folder.iterdir()) == ["commits"]


def test_a_disk_without_hard_links_enforces_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(1, "Operation not permitted")))
    assert preflight(Storage(str(tmp_path))).create_if_absent == "last writer wins"


@pytest.mark.parametrize(("free", "enough"), [(10**9 + SPARE_BYTES, True), (10**9 + SPARE_BYTES - 1, False)])
def test_a_disk_must_hold_the_run_and_some_room(tmp_path, monkeypatch, free, enough):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    storage = Storage(str(tmp_path / "not/yet/there"))
    if enough:
        preflight(storage, 10**9)
        return
    with pytest.raises(UserError, match=r"has 1\.2 GiB free, the run needs 1\.2 GiB; make room, or choose .*--run"):
        preflight(storage, 10**9)
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("number", "words"),
    [(28, "the disk is full; make room"), (30, "the disk is read-only"), (13, "access is denied"), (122, "quota")],
)
def test_a_disk_that_refuses_writes_is_reported(tmp_path, monkeypatch, number, words):
    def refuse(handle):
        raise OSError(number, "no")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StorageRefused, match=f"cannot write to the run folder .*{words}"):
        preflight(Storage(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def denied(self, *_, **__):
    raise PermissionError("AccessDenied")


@pytest.mark.parametrize(
    ("method", "words"),
    [("pipe_file", "write to"), ("cat_file", "read from"), ("find", "list"), ("rm_file", "delete in")],
)
def test_each_request_that_a_run_needs_is_tried(monkeypatch, method, words):
    storage = Storage(f"memory://{uuid.uuid4().hex}/run")
    monkeypatch.setattr(MemoryFileSystem, method, denied)
    with pytest.raises(StorageRefused, match=f"cannot {words} the run folder memory://.*/run: access is denied"):
        preflight(storage)


def test_a_store_that_returns_other_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(LocalStore, "read", lambda *_: b"other")
    with pytest.raises(StorageRefused, match="other bytes than written"):
        preflight(Storage(str(tmp_path)))


def test_a_store_that_does_not_list_written_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("synfiqa.cluster.storage.preflight._LISTING_S", 0)
    monkeypatch.setattr(LocalStore, "scan", lambda *_: [])
    with pytest.raises(StorageRefused, match="does not list what was written"):
        preflight(Storage(str(tmp_path)))


def test_a_store_that_keeps_deleted_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(LocalStore, "delete", lambda *_: None)
    with pytest.raises(StorageRefused, match="keeps deleted files"):
        preflight(Storage(str(tmp_path)))


def test_an_outage_is_retried_within_the_preflights_own_budget(monkeypatch):
    """A run may tolerate an hour of outage later; at the start an error must appear soon."""

    def away(self, *_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr("synfiqa.cluster.storage.preflight.BUDGET_S", 0.05)
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", away)
    with pytest.raises(StorageUnavailable, match=r"for longer than 0\.05 s"):
        preflight(Storage("memory://x/run", retry_budget_s=3600))
