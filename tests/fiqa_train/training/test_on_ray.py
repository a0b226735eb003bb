"""What surrounds Ray Train: where checkpoints go, what progress says, how failures read."""

import json
import threading

import pyarrow.fs
import pytest
from ray._private.state import state

from synfiqa.cluster.pipeline import ray_session
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training import on_ray as ray_training
from synfiqa.fiqa_train.training.on_ray import read_history, require_workers
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError


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
    watcher = threading.Thread(
        target=ray_training._watch, args=(storage, "mine", lambda history, _: seen.append(history), stop)
    )
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


@pytest.mark.parametrize(
    ("section", "cpus", "gpus", "told"),
    [
        (
            {"workers": 8, "use_gpu": True},
            64.0,
            4.0,
            "training needs 8 GPUs (train.workers=8 and train.use_gpu=true) but the cluster has 4 GPUs: "
            "use --set train.workers=4, or a cluster with more",
        ),
        (
            {"use_gpu": True},
            2.0,
            0.0,
            "training needs 1 GPU (train.workers=1 and train.use_gpu=true) but the cluster has 0 GPUs: "
            "use --set train.use_gpu=false, or a cluster with some",
        ),
        (
            {"workers": 3},
            2.0,
            8.0,
            "training needs 3 CPUs (train.workers=3) but the cluster has 2 CPUs: "
            "use --set train.workers=2, or a cluster with more",
        ),
        (
            {},
            0.0,
            0.0,
            "training needs 1 CPU (train.workers=1) but the cluster has 0 CPUs: use a cluster with some",
        ),
    ],
)
def test_workers_that_no_node_will_ever_take_are_refused_with_the_way_out(monkeypatch, section, cpus, gpus, told):
    monkeypatch.setattr(ray_training, "cluster_limits", lambda: (cpus, gpus))
    with pytest.raises(UserError) as refused:
        require_workers(TrainSection.model_validate(section))
    assert str(refused.value) == told


def test_a_worker_on_a_gpu_takes_no_cpu(monkeypatch):
    monkeypatch.setattr(ray_training, "cluster_limits", lambda: (2.0, 8.0))
    monkeypatch.setattr(ray_training, "alive_nodes", lambda: [Node(cpus=2.0, gpus=8.0)])
    assert require_workers(TrainSection(workers=8, use_gpu=True)) == 1
    assert require_workers(TrainSection(workers=2)) == 1


def test_a_worker_uses_the_cpus_at_hand_unless_the_config_says_how_many(monkeypatch):
    monkeypatch.setattr(ray_training, "cluster_limits", lambda: (64.0, 0.0))
    monkeypatch.setattr(ray_training, "alive_nodes", lambda: [Node(cpus=4.0, gpus=0.0), Node(cpus=60.0, gpus=0.0)])
    assert require_workers(TrainSection()) == 8, "a small network gains nothing from more"
    assert require_workers(TrainSection(workers=16)) == 4
    assert require_workers(TrainSection(threads=12)) == 12
    told = r"needs 80 CPUs \(train.workers=8 and train.threads=10\) but the cluster has 64"
    with pytest.raises(UserError, match=told):
        require_workers(TrainSection(workers=8, threads=10))


@pytest.mark.parametrize(("limits", "wanted"), [(None, (2.0, 0.0)), ({"CPU": 1, "GPU": 16}, (2.0, 16.0))])
def test_a_cluster_that_grows_is_as_large_as_it_may_become(monkeypatch, limits, wanted):
    """Its workers come when they are asked for: to refuse them because there are none yet would be for ever."""
    monkeypatch.setattr(ray_session, "cluster_resources", lambda: (2.0, 0.0))
    monkeypatch.setattr(state, "get_max_resources_from_cluster_config", lambda: limits)
    assert ray_session.cluster_limits() == wanted
