"""What surrounds Ray Train: where checkpoints go, what progress says, how failures read."""

import json
import threading

import pyarrow.fs

from cluster.storage import Storage
from fiqa_train import ray_training
from fiqa_train.ray_training import read_history


def test_checkpoints_lie_in_the_run_folder_whatever_the_store(tmp_path):
    assert ray_training._place(str(tmp_path), "mine") == {"storage_path": f"{tmp_path}/models/mine"}
    remote = ray_training._place("memory://bucket/run", "mine")
    remote["storage_filesystem"].create_dir(remote["storage_path"])
    with remote["storage_filesystem"].open_output_stream(remote["storage_path"] + "/probe") as stream:
        stream.write(b"x")
    assert isinstance(remote["storage_filesystem"], pyarrow.fs.PyFileSystem)
    assert Storage("memory://bucket/run").list("models") == ["models/mine/probe"]


def test_progress_reports_every_epoch_count_once_and_the_last_one_surely(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_training, "POLL_SECONDS", 0.01)
    storage, stop, seen = Storage(str(tmp_path)), threading.Event(), []
    assert read_history(storage, "mine") == []
    watcher = threading.Thread(target=ray_training._watch, args=(storage, "mine", seen.append, stop))
    watcher.start()
    storage.write("models/mine/history.json", json.dumps([{"epoch": 1}]).encode())
    while not seen:
        stop.wait(0.01)
    storage.write("models/mine/history.json", json.dumps([{"epoch": 1}, {"epoch": 2}]).encode())
    stop.set()
    watcher.join()
    assert [len(history) for history in seen] == [1, 2]


def test_a_failure_reads_as_its_innermost_cause_in_one_line():
    outer = RuntimeError("worker failed")
    outer.__cause__ = ValueError("the disk\nis full")
    assert ray_training._cause(outer) == "the disk is full"
    assert len(ray_training._cause(ValueError("x" * 5000))) < 400
    assert ray_training._cause(KeyError()) == "KeyError"
