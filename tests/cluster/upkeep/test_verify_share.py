"""Verification of a share of a run: a spread sample, and what an interrupted one has left."""

import pytest

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep import verify as module
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.cluster.upkeep.verify_share import FinishedTasks, Sample, Task, chosen
from tests.cluster.finished_run import finished_run


def tasks(count):
    return [Task(str(number), (), str(number), dict) for number in range(count)]


def test_a_sample_is_spread_over_the_run_and_decided_by_its_seed():
    picked = [int(task.path) for task in chosen(tasks(100), Sample(percent=10))]
    assert [number // 10 for number in picked] == list(range(10)), "one of each ten"
    assert picked == [int(task.path) for task in chosen(tasks(100), Sample(percent=10))]
    assert picked != [int(task.path) for task in chosen(tasks(100), Sample(percent=10, seed=1))]
    assert [len(chosen(tasks(7), sample)) for sample in (Sample(number=3), Sample(number=99), Sample(percent=0.1))] == [
        *(3, 7, 1)
    ]
    assert chosen([], Sample(number=3)) == []


def test_a_sample_reads_its_share_and_finds_a_missing_or_cut_file_anywhere(tmp_path):
    storage, store, _ = finished_run(tmp_path / "run")
    found = verify_run(storage, sample=Sample(number=2))
    assert (found.problems, found.files, found.all_files) == ([], 2, verify_run(storage).files)
    assert 0 < found.bytes < found.all_bytes
    files = [commit.file.path for commit in store.revisions("samples")]
    (tmp_path / "run" / files[0]).unlink()
    cut = tmp_path / "run" / files[-1]
    cut.write_bytes(cut.read_bytes()[:-1])
    for seed in range(4):
        kinds = {problem.path: problem.kind for problem in verify_run(storage, sample=Sample(1, seed=seed)).problems}
        assert kinds == {files[0]: "missing", files[-1]: "short"}


def test_a_changed_byte_is_found_by_the_samples_that_read_it(tmp_path):
    storage, store, _ = finished_run(tmp_path / "run")
    damaged = tmp_path / "run" / store.get("samples", 0).file.path
    data = bytearray(damaged.read_bytes())
    data[100] ^= 1
    damaged.write_bytes(data)
    hits = [bool(verify_run(storage, sample=Sample(3, seed=seed)).problems) for seed in range(12)]
    assert any(hits)
    assert not all(hits)
    assert verify_run(storage, sample=Sample(percent=100)).problems != []


def interrupted(storage, record, monkeypatch, after):
    """Verify until so many units are read."""
    check, read = module.check_unit, []

    def counting(*arguments, **settings):
        read.append(arguments[1].number)
        if len(read) > after:
            raise KeyboardInterrupt
        return check(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(module, "check_unit", counting)
        with pytest.raises(KeyboardInterrupt):
            verify_run(storage, 1, finished=FinishedTasks(record))


def test_an_interrupted_verification_goes_on_and_a_finished_one_is_forgotten(tmp_path, monkeypatch):
    storage, _, _ = finished_run(tmp_path / "run")
    whole = verify_run(storage)
    record = tmp_path / "cache" / "record.jsonl"
    interrupted(storage, record, monkeypatch, 3)
    with record.open("a") as torn:
        torn.write('["abc", 1')
    finished = FinishedTasks(record)
    found = verify_run(storage, finished=finished)
    assert 3 <= found.remembered < whole.files, "other threads may have finished more"
    assert (found.problems, found.files, found.bytes) == (whole.problems, whole.files, whole.bytes)
    finished.end()
    assert not record.exists()
    assert verify_run(storage, finished=FinishedTasks(record)).remembered == 0


def test_a_file_that_was_damaged_since_is_read_again_and_so_is_everything_when_asked_for(tmp_path, monkeypatch):
    storage, store, _ = finished_run(tmp_path / "run")
    record = tmp_path / "record.jsonl"
    interrupted(storage, record, monkeypatch, 4)
    damaged = store.get("identities", 0).file.path
    assert verify_run(Storage(storage.url), finished=FinishedTasks(record)).remembered
    (tmp_path / "run" / damaged).write_bytes(b"x" * store.get("identities", 0).file.bytes)
    problems = verify_run(storage, finished=FinishedTasks(record)).problems
    assert damaged in {problem.path for problem in problems}
    assert verify_run(storage, finished=FinishedTasks(record, again=True)).remembered == 0
