"""A job that is overtaken by another driver writes nothing more and ends with exit code 4."""

import importlib
import json
import re
from pathlib import Path

import pytest
import yaml

import synfiqa.fiqa_train.labels.label_pass
import synfiqa.fiqa_train.training.on_ray as ray_training
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.lease_record import newest_lease
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation import evaluate_run as evaluate
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.fiqa_train.training.checkpoints import parse_state
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.train_run import run_train
from synfiqa.jobs.cli import main
from synfiqa.jobs.generation.dataset import MadeDataset
from synfiqa.jobs.workflows.whole_run import run_all
from synfiqa.schemas.errors import RunHeld
from synfiqa.schemas.manifest import DatasetSummary
from tests.cluster.ray_cluster.free_ports import joined
from tests.cluster.run.test_lease import put, record
from tests.fiqa_train.evaluation.test_evaluate_run import Detail
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.whole_trainings.alone import Alone

pytestmark = pytest.mark.ray

JOBS = ("label", "train", "evaluate")
TOLD = re.compile(r"was taken over by far-away pid 4711 .* this driver stops")


@pytest.fixture(scope="module")
def cluster():
    with joined(num_cpus=2, num_gpus=0):
        yield


def here(task, watch):
    """Train in this process."""
    session = Alone()
    fit(task, session)
    return parse_state(session.stored)


def contents(storage):
    return {path: storage.read(path) for path in storage.list() if not path.startswith("lease/")}


WRITERS = {
    "label": "synfiqa.fiqa_train.labels.label_pass",
    "train": "synfiqa.fiqa_train.training.train_run",
    "evaluate": "synfiqa.fiqa_train.evaluation.evaluate_run",
}
"""The modules whose `preflight` comes before the first write of a job."""


class Rival:
    """Another driver, which takes the run over at a moment and looks at what it holds then."""

    def __init__(self, storage):
        self.storage, self.found = storage, None

    def take_over(self):
        put(self.storage, newest_lease(self.storage).epoch + 1, record(ttl_s=3600))
        self.found = contents(self.storage)

    def takes_over_in(self, monkeypatch, job):
        """Take over once the job is under way: after it has looked at its store, before its first write."""
        module = importlib.import_module(WRITERS[job])
        looked = module.preflight

        def preflight(storage):
            looked(storage)
            self.take_over()

        monkeypatch.setattr(module, "preflight", preflight)

    def assert_undisturbed(self):
        assert self.found is not None
        assert contents(self.storage) == self.found


@pytest.fixture
def ready(cluster, tmp_path, monkeypatch):
    """Make a run for which a job is the next one to do."""

    def ready_for(job):
        config, storage = make_run(
            tmp_path / "run", labels=job != "label", train={"test_fraction": 0.5}, generate={"identities": 16}
        )
        monkeypatch.setattr(evaluate, "load_embedder", lambda model: Detail(model.name))
        monkeypatch.setattr("synfiqa.fiqa_train.training.train_run.train_on_ray", here)
        if job == "evaluate":
            run_train(config, storage)
        return config, storage

    return ready_for


@pytest.mark.parametrize("job", JOBS)
def test_an_overtaken_job_writes_nothing_and_exits_with_4(ready, tmp_path, monkeypatch, capsys, job):
    """It held the lease and never looked at it: it went on beside the other driver, wrote, and ended with 0."""
    config, storage = ready(job)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    rival = Rival(storage)
    rival.takes_over_in(monkeypatch, job)
    with pytest.raises(SystemExit) as ended:
        main([job, str(tmp_path / "config.yaml")])
    assert ended.value.code == 4
    assert TOLD.search(capsys.readouterr().err)
    rival.assert_undisturbed()


@pytest.mark.parametrize("job", JOBS)
def test_a_run_is_overtaken_in_whichever_job_it_is(ready, tmp_path, monkeypatch, job):
    config, storage = ready("label")
    made = MadeDataset(DatasetSummary.model_construct(samples=0, accepted=0, digest=""), storage)
    monkeypatch.setattr("synfiqa.jobs.generation.dataset.make_dataset", lambda *_, **__: made)
    rival = Rival(storage)
    rival.takes_over_in(monkeypatch, job)
    with pytest.raises(RunHeld, match=TOLD):
        run_all(config)
    rival.assert_undisturbed()


def test_labels_stop_between_two_parts(ready, monkeypatch):
    # In this process: on a cluster all parts may be under way before the first one is reported.
    monkeypatch.setattr("synfiqa.cluster.pipeline.shard_tasks.cluster_at_hand", lambda: False)
    config, storage = ready("label")
    monkeypatch.setattr(
        synfiqa.fiqa_train.labels.label_pass, "RECENT_S", 0.0
    )  # a second of writing is let pass otherwise
    rival = Rival(storage)

    def progress(done, planned):
        if done == planned - 2:
            rival.take_over()

    with hold(storage, 60) as lease, pytest.raises(RunHeld, match=TOLD):
        run_label(config, storage, progress, lease=lease)
    rival.assert_undisturbed()
    assert len([path for path in rival.found if path.startswith("labels/default/shard-")]) == 4


def test_a_model_that_is_trained_too_late_is_not_published(ready, monkeypatch):
    config, storage = ready("train")
    rival = Rival(storage)

    def slow(task, watch):
        state = here(task, watch)
        rival.take_over()
        return state

    monkeypatch.setattr("synfiqa.fiqa_train.training.train_run.train_on_ray", slow)
    with hold(storage, 60) as lease, pytest.raises(RunHeld, match=TOLD):
        run_train(config, storage, lease=lease)
    rival.assert_undisturbed()


class Overtaken(ray_training.RaySession):
    """Sees its run taken over after the second epoch."""

    def report(self, metrics, state):
        super().report(metrics, state)
        if metrics["epoch"] == 2:
            put(Storage(self._task.url), 2, record(ttl_s=3600))


def overtaken_worker(config):
    task = config["task"]
    with (Path(task.url) / "attempts").open("a") as attempts:
        attempts.write("one\n")
    session = Overtaken(task)
    session.threads = 1
    fit(task, session)


def test_training_workers_stop_before_the_next_checkpoint_and_are_not_started_again(cluster, tmp_path, monkeypatch):
    """They are processes of their own: they go on while their driver is frozen and another one trains the model."""
    config, storage = make_run(tmp_path / "run", train={"epochs": 4, "max_failures": 3})
    monkeypatch.setattr(ray_training, "train_worker", overtaken_worker)
    with hold(storage, 60) as lease, pytest.raises(RunHeld, match=TOLD):
        run_train(config, storage, lease=lease)
    assert (tmp_path / "run" / "attempts").read_text() == "one\n"
    assert len(json.loads(storage.read("models/default/history.json"))) == 2
    files = storage.list("models/default")
    assert len([path for path in files if path.endswith("state.pt")]) == 2
    assert not {"models/default/model.safetensors", "models/default/metrics.json"} & set(files)
