"""Every job reads the catalogue once and takes each digest once, and a whole run resolves its config once for all."""

from contextlib import nullcontext

import numpy as np
import pytest

import synfiqa.fiqa_train.evaluation.evaluate_run as evaluate
from synfiqa.actors.model_store import resolved_run
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.resolved_run import VerifiedWeights
from synfiqa.cluster.run.generations import current
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.fiqa_train.training.checkpoints import parse_state
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.train_run import run_train
from synfiqa.jobs.generation import dataset
from synfiqa.jobs.generation import readiness as check
from synfiqa.jobs.workflows import whole_run
from synfiqa.schemas.manifest import DatasetSummary
from tests.chaos.driver import MODELS, Order, config_of
from tests.chaos.oracle import without_ray
from tests.chaos.stub_stages import Trouble, stub_stages
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.whole_trainings.alone import Alone


class Pixels:
    """Embeds faces as their own coarse pixels."""

    def embed(self, images):
        vectors = images[:, ::16, ::16].reshape(len(images), -1).astype(np.float32) - 100
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def counts(monkeypatch):
    """Return how often the catalogue was read, and the names of models whose digest was taken."""
    found = {"catalogue": 0, "digests": []}
    load, digest = Catalogue.load, resolved_run.digest_of

    def loaded(*args, **kwargs):
        found["catalogue"] += 1
        return load(*args, **kwargs)

    def digested(model):
        found["digests"].append(model.name)
        return digest(model)

    monkeypatch.setattr(Catalogue, "load", loaded)
    monkeypatch.setattr(resolved_run, "digest_of", digested)
    return found


@pytest.fixture
def here(monkeypatch):
    """Train in this process, and evaluate with an embedder that takes no time."""

    def train(task, watch):
        session = Alone()
        fit(task, session)
        return parse_state(session.stored)

    monkeypatch.setattr("synfiqa.fiqa_train.training.train_run.require_workers", lambda section: 1)
    monkeypatch.setattr("synfiqa.fiqa_train.training.on_ray.require_workers", lambda section: 1)
    monkeypatch.setattr("synfiqa.fiqa_train.training.train_run.train_on_ray", train)
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Pixels())


def resolved_once(counts):
    read, digests = counts["catalogue"], list(counts["digests"])
    counts["catalogue"] = 0
    counts["digests"].clear()
    return read == 1 and len(digests) == len(set(digests)) > 0


def test_generate_resolves_its_config_once_for_all_stages_of_both_halves(tmp_path, monkeypatch, counts):
    monkeypatch.setattr(check, "verify_weights", lambda run: VerifiedWeights({}, MODELS))
    config = config_of(Order(str(tmp_path / "run"), {"placement": {"device": "cpu"}}))
    with without_ray():
        summary = dataset.run_generate(config, current(config.run.url), stages=stub_stages(Trouble()))
    assert summary.samples
    assert resolved_once(counts)


def test_label_train_and_evaluate_resolve_at_most_once_each(tmp_path, here, counts):
    sections = {"train": {"epochs": 1, "test_fraction": 0.5}, "generate": {"identities": 16}}
    config, storage = make_run(tmp_path / "run", labels=False, **sections)
    run_label(config, storage)
    assert counts == {"catalogue": 0, "digests": []}, "these labels need no card"
    run_train(config, storage)
    assert resolved_once(counts)
    evaluate.run_evaluate(config, storage)
    assert resolved_once(counts)


def test_a_whole_run_resolves_its_config_once_in_all(tmp_path, monkeypatch, here, counts):
    sections = {"train": {"epochs": 1, "test_fraction": 0.5, "initialise": "embedder"}, "generate": {"identities": 16}}
    config, _ = make_run(tmp_path / "run", labels=False, **sections)
    summary = DatasetSummary.model_construct(samples=1, accepted=1, digest="0" * 64)
    resolved = []

    def generate(config, storage, **options):
        resolved.append(options["resolved"])
        return dataset.MadeDataset(summary, storage)

    monkeypatch.setattr(whole_run, "ray_session", nullcontext)
    monkeypatch.setattr(dataset, "make_dataset", generate)
    monkeypatch.setattr("synfiqa.jobs.workflows.report_file.run_report", lambda config, storage, **_: None)
    whole_run.run_all(config)
    assert resolved[0].config == config
    assert resolved_once(counts)
