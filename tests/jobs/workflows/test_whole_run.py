"""The phases of one `synfiqa run` work on the generation that it opened."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from synfiqa.cluster.run.generations import current
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation import dataset
from synfiqa.jobs.workflows import whole_run
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import DatasetSummary
from tests.fiqa_train.labelled_run import make_run

ROOT = Path(__file__).parents[3]


def test_the_generation_of_another_driver_gets_no_labels(tmp_path, monkeypatch):
    """After generating, the newest generation was looked up again, and labels went into one that somebody else made."""
    config, storage = make_run(tmp_path / "run", labels=False, generate={"identities": 16})
    worked_on = []

    def generate(config, storage, **_):
        other = Storage(f"{storage.url}/generation-000002")
        other.write("run.json", storage.read("run.json"))
        assert current(config.run.url).url == other.url
        return dataset.MadeDataset(DatasetSummary.model_construct(samples=1, accepted=1, digest="0" * 64), storage)

    def phase(config, storage, **_):
        worked_on.append(storage.url)

    monkeypatch.setattr(whole_run, "ray_session", nullcontext)
    monkeypatch.setattr(whole_run, "evaluation_lines", lambda evaluation: [])
    monkeypatch.setattr(dataset, "make_dataset", generate)
    monkeypatch.setattr("synfiqa.fiqa_train.training.on_ray.require_workers", lambda section: 1)
    for name in (
        "fiqa_train.labels.label_pass.run_label",
        "fiqa_train.training.train_run.run_train",
        "fiqa_train.evaluation.evaluate_run.run_evaluate",
        "jobs.workflows.report_file.run_report",
    ):
        monkeypatch.setattr(f"synfiqa.{name}", phase)
    whole_run.run_all(config)
    assert worked_on == [storage.url] * 4
    assert Storage(f"{storage.url}/generation-000002").list("lease") == []


def test_an_embedder_that_training_cannot_start_from_is_refused_before_generating(tmp_path, monkeypatch):
    """README's command with an AdaFace embedder generated everything, and then failed in training."""
    card = yaml.safe_load((ROOT / "configs" / "models" / "adaface-ir18.yaml").read_text())["models"]["adaface-ir18"]
    own = tmp_path / "models.yaml"
    own.write_text(yaml.safe_dump({"models": {"adaface": card | {"source": "random:0"}}}))
    tree = {"models": {"catalogue": str(own), "embedder": "adaface"}, "run": {"url": str(tmp_path / "run")}}
    monkeypatch.setattr(whole_run, "ray_session", lambda: pytest.fail("no actor may start"))
    with pytest.raises(UserError, match=r"cannot start from adaface.*train.initialise=random"):
        whole_run.run_all(RunConfig.model_validate(tree))
