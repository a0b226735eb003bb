"""Attempt markers count processes that died, nothing else."""

import pytest

from cluster.attempts import Attempts
from cluster.storage import Storage


def test_a_finished_or_failed_attempt_leaves_no_mark(tmp_path):
    attempts = Attempts(Storage(str(tmp_path)), "s1")
    with attempts.attempt("unit"):
        assert attempts.deaths("unit") == 1
    with pytest.raises(ValueError, match="x"), attempts.attempt("unit"):
        raise ValueError("x")
    assert attempts.deaths("unit") == 0


def test_marks_of_an_earlier_session_do_not_count_and_are_swept(tmp_path):
    """A driver killed three times used to make the unit it was working on look like poison."""
    storage = Storage(str(tmp_path))
    for session in ("old1", "old2", "old3"):
        Attempts(storage, session).attempt("unit").__enter__()
    now = Attempts(storage, "new")
    assert now.deaths("unit") == 0
    now.sweep()
    assert storage.list("attempts") == []
    now.clear()
    assert not (tmp_path / "attempts/new").exists()
