"""The train job on a real Ray cluster: survives a dying worker, publishes whole models, and refuses a changed basis."""

import json
import os

import pytest
import torch
import yaml
from safetensors.torch import load

import synfiqa.fiqa_train.training.on_ray as ray_training
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.task import training_basis, training_task
from synfiqa.fiqa_train.training.train_run import run_train
from synfiqa.jobs.workflows.whole_run import run_all
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import TrainingResult, parse
from tests.cluster.ray_cluster.free_ports import joined
from tests.fiqa_train.labelled_run import make_run, small_config
from tests.fiqa_train.training.whole_trainings.alone import Alone


class Dying(ray_training.RaySession):
    """Kills its process after the second epoch, once."""

    def report(self, metrics, state):
        super().report(metrics, state)
        marker = Storage(self._task.url).local() / "died"
        if metrics["epoch"] == 2 and not marker.exists():
            marker.touch()
            os._exit(1)


def dying_worker(config):
    session = Dying(config["task"])
    session.threads = 1  # as the training that it is compared with
    fit(config["task"], session)


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs and one GPU, which is there by name alone."""
    with joined(num_cpus=2, num_gpus=1):
        yield


@pytest.mark.ray
def test_a_dying_worker_changes_nothing_and_a_second_call_does_nothing(cluster, tmp_path, monkeypatch):
    config, storage = make_run(tmp_path / "run", train={"epochs": 3, "max_failures": 1})
    monkeypatch.setattr(ray_training, "train_worker", dying_worker)
    epochs = []
    metrics = run_train(config, storage, lambda done, planned: epochs.append((done, planned)))
    assert (tmp_path / "run" / "died").exists()
    assert epochs[-1] == (3, 3)

    undisturbed = Alone()
    fit(training_task(resolve(config), storage), undisturbed)
    history = metrics.history
    assert [entry.epoch for entry in history] == [1, 2, 3]
    assert [entry.loss for entry in history] == [entry["loss"] for entry in undisturbed.metrics]

    card = yaml.safe_load(storage.read("models/default/model.yaml"))
    assert card["sha256"] == metrics.model_sha256
    assert card["metrics"]["validation_spearman"] == pytest.approx(metrics.validation_spearman)
    assert parse(TrainingResult, json.loads(storage.read("models/default/metrics.json"))) == metrics
    loaded = load_quality_model(str(tmp_path / "run")).card
    assert loaded.name == "default"
    assert len(loaded.scale.quantiles) == 101
    assert card["scale"]["midpoint"] == loaded.scale.midpoint

    def no_training(*_):
        raise AssertionError("a finished model was trained again")

    monkeypatch.setattr("synfiqa.fiqa_train.training.train_run.train_on_ray", no_training)
    assert run_train(config, storage) == metrics
    same_on_other_machines = config.model_copy(update={"train": config.train.model_copy(update={"workers": 2})})
    assert run_train(same_on_other_machines, storage) == metrics
    for key, value in (("learning_rate", 0.5), ("epochs", 4)):
        changed = config.model_copy(update={"train": config.train.model_copy(update={key: value})})
        with pytest.raises(UserError, match=rf"train\.{key}: .* -> {value}.*another train\.name"):
            run_train(changed, storage)
    assert parse(TrainingResult, json.loads(storage.read("models/default/metrics.json"))) == metrics


@pytest.mark.ray
def test_two_workers_end_with_one_model(cluster, tmp_path):
    config, storage = make_run(tmp_path / "run", train={"epochs": 1, "workers": 2, "max_failures": 0})
    metrics = run_train(config, storage)
    weights = load(storage.read("models/default/model.safetensors"))
    assert all(torch.isfinite(tensor).all() for tensor in weights.values() if tensor.is_floating_point())
    assert not any(key.startswith("module.") for key in weights)
    assert len(metrics.history) == 1


TOO_LARGE = [
    ({"workers": 2, "use_gpu": True}, r"needs 2 GPUs .* has 1 GPU: use --set train\.workers=1"),
    ({"workers": 3}, r"needs 3 CPUs .* has 2 CPUs: use --set train\.workers=2"),
]


@pytest.mark.ray
@pytest.mark.timeout(60)
@pytest.mark.parametrize(("section", "told"), TOO_LARGE)
def test_a_training_that_is_larger_than_the_cluster_is_refused_before_anything_is_written(
    cluster, tmp_path, section, told
):
    """Ray Train waited for workers that no node could take, without a word and for ever."""
    config, storage = make_run(tmp_path / "run", train=section)
    with pytest.raises(UserError, match=told):
        run_train(config, storage)
    assert storage.list("models") == []


@pytest.mark.ray
@pytest.mark.parametrize(("section", "told"), TOO_LARGE)
def test_a_run_finds_out_before_it_generates_that_it_could_not_train(cluster, tmp_path, section, told):
    """It used to generate for days, and to stand still then."""
    with pytest.raises(UserError, match=told):
        run_all(small_config(tmp_path / "run", train=section))
    assert not (tmp_path / "run").exists()


@pytest.mark.ray
def test_a_run_with_a_finished_model_needs_no_workers_for_it(cluster, tmp_path, monkeypatch):
    config, storage = make_run(tmp_path / "run", train={"workers": 2, "use_gpu": True})
    for file in ("model.safetensors", "model.yaml", "metrics.json"):
        storage.write(f"models/default/{file}", b"")

    class Generates(Exception):
        pass

    def generate(*_, **__):
        raise Generates

    monkeypatch.setattr("synfiqa.jobs.generation.dataset.make_dataset", generate)
    with pytest.raises(Generates):
        run_all(config)
    with pytest.raises(UserError, match="needs 2 GPUs"):
        run_all(config, new_generation=True)  # which would hold no model


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        run_train(small_config(tmp_path / "absent"), Storage(str(tmp_path / "absent")))
    config, storage = make_run(tmp_path / "unlabelled", labels=False)
    with pytest.raises(UserError, match="run `synfiqa label` first"):
        run_train(config, storage)
    assert storage.list("models") == []


def test_a_training_of_before_train_precision_is_still_the_same(tmp_path):
    config, storage = make_run(tmp_path / "run")
    manifest, calibration = load_run(storage), require_calibration(storage, config.label.name)
    basis = training_basis(resolve(config), manifest, calibration)
    assert "precision" not in basis["train"]
    half = config.model_copy(update={"train": config.train.model_copy(update={"precision": "bfloat16"})})
    assert training_basis(resolve(half), manifest, calibration)["train"] == basis["train"] | {"precision": "bfloat16"}
    told = training_task(resolve(half), storage).card["trained_on"]
    assert told == training_task(resolve(config), storage).card["trained_on"] + ", forward passes in bfloat16"


def test_labels_older_than_the_shards_are_refused(tmp_path):
    config, storage = make_run(tmp_path / "run")
    storage.delete("commits/shard-000003.json")
    with pytest.raises(UserError, match="older than its shards"):
        run_train(config, storage)


def test_too_few_images_for_the_workers_are_refused_before_anything_is_written(tmp_path):
    config, storage = make_run(tmp_path / "run", train={"batch_size": 2, "workers": 2})
    with pytest.raises(UserError, match=r"lower train\.workers"):
        run_train(config, storage)
    assert storage.list("models") == []


def test_memory_runs_are_refused_with_the_reason(tmp_path):
    config, storage = make_run("memory://train-refused/run")
    with pytest.raises(UserError, match="memory://"):
        run_train(config, storage)
