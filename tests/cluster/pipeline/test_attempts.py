"""Attempt markers count processes that died, nothing else, and find the model call that does it."""

import uuid

import pytest

from synfiqa.cluster.pipeline.attempts import NO_MARKS, Attempts
from synfiqa.cluster.storage.storage import Storage


def die(folder, session, name):
    """What a killed process leaves: a mark that nobody removes."""
    Storage(str(folder)).write(f"attempts/{session}/{name}/{uuid.uuid4().hex}", b"")


def test_a_finished_or_failed_attempt_leaves_no_mark(tmp_path):
    attempts = Attempts(Storage(str(tmp_path)), "s1")
    with attempts.attempt("unit"):
        assert attempts.deaths("unit") == 1
    with pytest.raises(ValueError, match="x"), attempts.attempt("unit"):
        raise ValueError("x")
    assert attempts.deaths("unit") == 0


def test_marks_of_an_earlier_session_do_not_count(tmp_path):
    """A driver killed three times used to make the unit it was working on look like poison."""
    storage = Storage(str(tmp_path))
    for session in ("old1", "old2", "old3"):
        die(tmp_path, session, "u/unit")
    now = Attempts(storage, "new")
    now.open()
    assert now.deaths("u") == 0
    die(tmp_path, "new", "u/unit")
    assert now.deaths("u") == 1
    now.clear()
    assert not (tmp_path / "attempts/new").exists()
    assert len(storage.list("attempts")) == 3, "what other sessions left is for gc"


def test_a_death_inside_a_marked_call_is_explained_by_the_call(tmp_path):
    attempts = Attempts(Storage(str(tmp_path)), "s1")
    die(tmp_path, "s1", "u/unit")
    assert (attempts.deaths("u"), attempts.unexplained("u")) == (1, 1)
    die(tmp_path, "s1", "u/unit")
    die(tmp_path, "s1", "u/calls/generator-3-5")
    assert (attempts.deaths("u"), attempts.unexplained("u")) == (2, 1)
    assert attempts.calls("u").deaths("generator-3-5") == 1
    assert attempts.calls("u").deaths("generator-3-4") == 0
    with attempts.calls("u").attempt("generator-3-4"):
        assert attempts.calls("u").deaths("generator-3-4") == 1
    assert attempts.calls("u").deaths("generator-3-4") == 0


def test_no_marks_cost_nothing_and_count_nothing():
    with NO_MARKS.attempt("x"):
        assert NO_MARKS.deaths("x") == 0


def test_a_worker_on_another_disk_sees_that_it_does_not_share_the_folder(tmp_path):
    attempts = Attempts(Storage(str(tmp_path / "shared")), "s1")
    attempts.open()
    assert attempts.is_open()
    assert not Attempts(Storage(str(tmp_path / "own disk")), "s1").is_open()
