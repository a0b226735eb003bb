"""The gc job: spans as people write them, and a list of what went."""

import os
import time

import pytest

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.terminal.garbage_text import run_gc, span_seconds
from synfiqa.jobs.terminal.sizes import size_text
from synfiqa.schemas.errors import UserError
from tests.cluster.finished_run import finished_run


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("0.5h", 1800)]
)
def test_spans(text, seconds):
    assert span_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "1w", "-3h", "h", "1h30m", "nan"])
def test_other_spans_are_refused_with_an_example(text):
    with pytest.raises(UserError, match="such as 24h"):
        span_seconds(text)


def test_sizes():
    assert [size_text(size) for size in (0, 999, 1500, 2e9, 3e15)] == ["0 B", "999 B", "1.5 KB", "2 GB", "3e+03 TB"]


def test_it_says_what_went_and_what_stays(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    storage.write("samples/shard-000000-aaaaaaaaaaaa.parquet", b"12345")
    storage.write("samples/shard-000000-bbbbbbbbbbbb.parquet", b"12345")
    old = time.time() - 7200
    os.utime(tmp_path / "samples/shard-000000-aaaaaaaaaaaa.parquet", (old, old))
    run_gc(storage, "1h", dry_run=True)
    assert "would remove 1 objects, 5 B: 1 x uncommitted data" in capsys.readouterr().out
    run_gc(storage, "1h")
    out = capsys.readouterr().out
    assert "removed samples/shard-000000-aaaaaaaaaaaa.parquet (5 B, uncommitted data)" in out
    assert "removed 1 objects, 5 B" in out
    assert "1 uncommitted objects are younger than 1h and stay" in out


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    (tmp_path / ".tmp-mine").write_bytes(b"x")
    with pytest.raises(UserError, match="no run folder"):
        run_gc(Storage(str(tmp_path)), "0s")
    assert (tmp_path / ".tmp-mine").exists()
