"""The verify job as a person sees it: each problem on a line, then totals and the Merkle root."""

import pytest

from synfiqa.jobs.terminal.verification_text import run_verify
from synfiqa.schemas.errors import JobFailed
from tests.cluster.finished_run import finished_run


def test_a_sound_run_prints_its_root_and_no_problem(tmp_path, capsys):
    storage, store, _ = finished_run(tmp_path)
    run_verify(storage)
    out = capsys.readouterr().out
    assert f"root        {store.dataset_digest()}\n" in out
    assert "problems    none" in out
    assert "8 planned = 6 accepted + 2 rejected + 0 dead" in out
    assert "84 planned = 84 accepted + 0 rejected + 0 dead, in 3 shards" in out


def test_the_three_damages_of_the_promise_are_named_and_the_job_fails(tmp_path, capsys):
    """One byte of one shard flipped, one commit's data deleted, one foreign file."""
    storage, store, _ = finished_run(tmp_path)
    flipped, deleted = (store.committed("samples")[number].file.path for number in (0, 2))
    data = bytearray(storage.read(flipped))
    data[len(data) // 2] ^= 4
    storage.write(flipped, bytes(data))
    storage.delete(deleted)
    storage.write("samples/holiday.jpg", b"x")
    with pytest.raises(JobFailed, match="has 3 problems") as failed:
        run_verify(storage)
    assert failed.value.exit_code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("foreign samples/holiday.jpg: ")
    assert lines[1].startswith(f"damaged {flipped}: ")
    assert lines[2].startswith(f"missing {deleted}: ")
    assert "problems    3" in lines


def test_leavings_are_a_note_with_the_way_out(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    storage.write("samples/shard-000000-aaaaaaaaaaaa.parquet", b"12345")
    run_verify(storage)
    assert "note: 1 leftovers of attempts (1 x data), 5 B: see `synfiqa gc`" in capsys.readouterr().out
