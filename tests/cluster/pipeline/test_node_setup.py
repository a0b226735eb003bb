"""A node is prepared once a session, whatever happens to the first worker that tries."""

import multiprocessing
import os
import tempfile
import time

import pytest

from synfiqa.cluster.pipeline import node_setup
from synfiqa.cluster.pipeline.node_setup import KEPT_S, once_per_node
from synfiqa.schemas.errors import JobFailed


@pytest.fixture(autouse=True)
def _node(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_call_runs_once_a_session_and_name():
    ran = []
    for session, name in (("a", "x"), ("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")):
        once_per_node(session, name, lambda key=(session, name): ran.append(key))
    assert ran == [("a", "x"), ("a", "y"), ("b", "x")]


def test_a_call_that_fails_is_tried_by_the_next_worker():
    def fail():
        raise OSError("no route to host")

    with pytest.raises(OSError, match="no route"):
        once_per_node("a", "x", fail)
    assert once_per_node("a", "x", lambda: None)
    assert not once_per_node("a", "x", fail)


def _work(folder, dies):
    tempfile.tempdir = str(folder.parent)

    def call():
        (folder / f"{time.time_ns()}-{os.getpid()}").touch()
        if dies:
            os._exit(1)
        time.sleep(0.3)

    once_per_node("a", "x", call)
    # The record stands before any worker goes on.
    assert len(list(folder.iterdir())) == 1 + dies


def test_workers_of_a_node_wait_for_the_first_and_outlive_its_death(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    notes = tmp_path / "notes"
    notes.mkdir()
    first = spawn.Process(target=_work, args=(notes, True))
    first.start()
    first.join()
    assert first.exitcode == 1
    for path in notes.iterdir():
        path.unlink()
    workers = [spawn.Process(target=_work, args=(notes, False)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(list(notes.iterdir())) == 1


def test_a_lock_that_is_never_freed_is_a_sentence(monkeypatch):
    monkeypatch.setattr(node_setup, "LOCK_TIMEOUT_S", 0.1)

    def again():
        once_per_node("a", "x", lambda: None)

    with pytest.raises(JobFailed, match=r"another worker has held .* run the same command again"):
        once_per_node("a", "x", again)


def test_records_of_old_sessions_are_removed(tmp_path):
    once_per_node("old", "x", lambda: None)
    once_per_node("recent", "x", lambda: None)
    (root,) = tmp_path.glob("synfiqa-nodes-*")
    past = time.time() - KEPT_S - 60
    os.utime(root / "old", (past, past))
    once_per_node("new", "x", lambda: None)
    assert {path.name for path in root.iterdir()} == {"recent", "new"}


def test_without_a_temporary_folder_every_process_prepares_the_node(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr("tempfile.tempdir", str(file))
    ran = []
    for _ in range(2):
        assert once_per_node("a", "x", lambda: ran.append(1))
    assert ran == [1, 1]
