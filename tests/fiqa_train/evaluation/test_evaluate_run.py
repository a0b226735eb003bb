"""The evaluate job on a run whose quality is known: right pairs, right order of methods, written once."""

import json
import shutil

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synfiqa.fiqa_train.evaluation.evaluate_run as evaluate
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation import held_out as reading
from synfiqa.fiqa_train.training.checkpoints import publish
from synfiqa.fiqa_train.training.engine.build_network import build_network
from synfiqa.fiqa_train.training.task import split_run, training_task
from synfiqa.fiqa_train.training.train_run import run_train
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import EvaluationResult, parse
from tests.fiqa_train.evaluation.trained_run import make_trained
from tests.fiqa_train.labelled_run import make_run


class Detail:
    """Recognises an identity by its fine detail, which blur takes away: a face is as good as it is sharp."""

    def __init__(self, name):
        self.name = name
        self.rng = np.random.default_rng(len(name))

    def embed(self, images):
        gray = images.mean(axis=3).astype(np.float32)
        soft = np.stack([cv2.GaussianBlur(image, (0, 0), 4) for image in gray])
        vectors = (gray - soft)[:, ::4, ::4].reshape(len(images), -1)
        vectors = vectors + self.rng.normal(0, 16, vectors.shape)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """A run trained in this process: the job around it is what is tested here."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    config, _ = make_trained(folder, train={"epochs": 6}, evaluate={"bootstrap": 20})
    return config, folder


@pytest.fixture
def trained(trained_once, tmp_path, monkeypatch):
    config, folder = trained_once
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Detail(model.name))
    return config, Storage(str(tmp_path / "run"))


def test_the_evaluation_of_held_out_identities(trained):
    config, storage = trained
    result = evaluate.run_evaluate(config, storage)
    assert parse(EvaluationResult, json.loads(storage.read("models/default/evaluation.json"))) == result
    assert result.identities == 8
    assert result.images == 80
    assert result.degraded == 64
    assert result.pairs == "probe-reference"
    assert result.n_genuine == 8 * 2 * 8
    assert result.n_impostor == 16 * 64 - 128
    assert result.spearman.keys() == {"model", "sharpness", "random"}
    assert result.spearman["model"] > 0.5
    assert result.spearman["sharpness"] > 0.8, "in this run blur is all that quality depends on"

    assert [r.embedder for r in result.results] == ["bundled-b"] * 4 + ["bundled-a"] * 4
    assert [r.independent for r in result.results] == [True] * 4 + [False] * 4
    for entry in result.results:
        pauc = {name: method.pauc for name, method in entry.methods.items()}
        assert pauc["label"] < 0.85
        assert pauc["label"] < pauc["random"]
        assert (entry.methods["model"].interval is not None) == entry.independent
    assert result.headline.embedder == "bundled-b"
    assert result.headline.mode == "leaderboard"
    assert result.headline.methods["model"].pauc == result.results[0].methods["model"].pauc

    scores = pq.read_table(pa.BufferReader(storage.read("models/default/scores.parquet"))).to_pylist()
    assert len(scores) == 80
    splits = split_run(config, range(16), (16,))
    assert {splits[row["identity"]] for row in scores} == {"test"}
    assert all((row["label"] is None) == (row["kind"] == "reference") for row in scores)


def test_reading_stops_once_enough_images_are_kept(trained, monkeypatch):
    """The whole dataset was read, whatever was kept of it, and every label of it became an entry of a dict."""
    config, storage = trained
    evaluate.run_evaluate(config, storage)
    everything = pq.read_table(pa.BufferReader(storage.read("models/default/scores.parquet"))).to_pylist()
    storage.delete("models/default/evaluation.json")
    shards, labels = [], []
    read_shard, held_out = ShardStore.read, reading.HeldOut

    def counted_read(self, commit, columns=None):
        shards.append(commit.number)
        return read_shard(self, commit, columns)

    def counted_held_out(rows, named):
        labels.append(len(named))
        return held_out(rows, named)

    monkeypatch.setattr(ShardStore, "read", counted_read)
    monkeypatch.setattr(reading, "HeldOut", counted_held_out)
    monkeypatch.setattr(reading, "MAX_IMAGES", 31)
    result = evaluate.run_evaluate(config, storage)
    kept = pq.read_table(pa.BufferReader(storage.read("models/default/scores.parquet"))).to_pylist()
    assert (result.images, result.identities) == (40, 4)
    for column in ("sample_id", "identity", "kind", "label", "model", "sharpness"):
        assert [row[column] for row in kept] == pytest.approx([row[column] for row in everything[:40]])
    assert shards == sorted({row["identity"] // config.generate.identities_per_shard for row in kept})
    assert len(shards) < 6, "of six shards"
    assert labels == [4 * 8]


def test_it_is_done_once_and_again_when_the_question_changes(trained, monkeypatch):
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    calls = []
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: calls.append(model.name) or Detail(model.name))
    assert evaluate.run_evaluate(config, storage) == first
    assert not calls
    wider = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"discard_limit": 0.2})})
    assert evaluate.run_evaluate(wider, storage).results[0].discard_limit == 0.2
    assert not calls, "the vectors of these images are stored"


@pytest.mark.parametrize("change", [{"version": 2}, {"version": None}, {"results": []}])
def test_an_evaluation_of_another_version_or_damaged_is_made_again(trained, change):
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    written = storage.read("models/default/evaluation.json")
    other = {key: value for key, value in (json.loads(written) | change).items() if value is not None}
    storage.write("models/default/evaluation.json", json.dumps(other).encode())
    assert evaluate.run_evaluate(config, storage) == first
    assert storage.read("models/default/evaluation.json") == written


def test_a_training_finished_before_versions_is_still_finished(trained):
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    metrics = json.loads(storage.read("models/default/metrics.json"))
    assert metrics.pop("version") == 1
    storage.write("models/default/metrics.json", json.dumps(metrics).encode())
    result = run_train(config, storage)
    assert (result.version, result.model_sha256) == (1, first.basis.model_sha256)
    assert evaluate.run_evaluate(config, storage) == first


@pytest.mark.parametrize(
    ("content", "told"), [(b'{"version": 2}', "is of version 2"), (b"{}", r"is damaged \(name: Field required\)")]
)
def test_metrics_that_cannot_be_read_are_refused_with_the_way_out(trained, content, told):
    config, storage = trained
    storage.write("models/default/metrics.json", content)
    with pytest.raises(UserError, match=rf"metrics\.json {told}; choose another train\.name, or delete models/default"):
        run_train(config, storage)


def test_rates_that_the_pairs_cannot_show_are_skipped_or_refused(trained):
    config, storage = trained
    some = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"fmr": (0.01, 1e-5)})})
    result = evaluate.run_evaluate(some, storage)
    assert [entry.fmr for entry in result.skipped] == [1e-5]
    assert {entry.fmr for entry in result.results} == {0.01}
    none = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"fmr": (1e-5,)})})
    with pytest.raises(UserError, match=r"evaluate\.fmr .* 100000 impostor pairs"):
        evaluate.run_evaluate(none, storage)


def test_a_model_of_other_splits_is_refused_because_it_may_have_seen_them(trained):
    config, storage = trained
    other = config.model_copy(update={"train": config.train.model_copy(update={"test_fraction": 0.2})})
    with pytest.raises(UserError, match="test_fraction"):
        evaluate.run_evaluate(other, storage)


def test_without_a_finished_model_there_is_nothing_to_evaluate(tmp_path):
    config, storage = make_run(tmp_path / "run")
    with pytest.raises(UserError, match="run `synfiqa train` first"):
        evaluate.run_evaluate(config, storage)


def test_other_weights_are_evaluated_anew(trained):
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    task = training_task(resolve(config), storage)
    card = publish(storage, "default", build_network(task.section, None, seed=99).state_dict(), task.card)
    metrics = json.loads(storage.read("models/default/metrics.json"))
    storage.write("models/default/metrics.json", json.dumps({**metrics, "model_sha256": card.sha256}).encode())
    second = evaluate.run_evaluate(config, storage)
    before, after = (result.results[0].methods for result in (first, second))
    assert before["model"].pauc != after["model"].pauc
    assert before["label"] == after["label"]


def scored_by(config, *names):
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"scorers": names})})


def test_the_config_names_the_scorers(trained):
    config, storage = trained
    names = ("norm", "label", "model", "bundled-quality", "mirror")
    result = evaluate.run_evaluate(scored_by(config, *names), storage)
    assert tuple(result.headline.methods) == names
    assert list(result.spearman) == ["norm", "model", "bundled-quality", "mirror"]
    others = [entry.other for entry in result.results[0].differences]
    assert others == ["norm", "bundled-quality", "mirror", "label"]
    assert result.basis.scorers.keys() == {"norm", "mirror", "bundled-quality"}
    usual = evaluate.run_evaluate(config, storage)
    assert tuple(usual.headline.methods) == ("model", "label", "sharpness", "random")
    assert usual.basis.scorers == {}


def test_an_unknown_scorer_is_refused_before_anything_is_read(trained, monkeypatch):
    config, storage = trained
    monkeypatch.setattr(evaluate, "load_run", lambda storage: pytest.fail("the run was read"))
    with pytest.raises(
        UserError, match=r"evaluate\.scorers: there is no scorer 'laplacian'; choose among model, label"
    ):
        evaluate.run_evaluate(scored_by(config, "model", "laplacian"), storage)


def test_a_scorer_that_returns_nan_ends_the_evaluation_by_name(trained, monkeypatch):
    config, storage = trained
    monkeypatch.setattr(
        "synfiqa.actors.quality.measures.sharpness.sharpness", lambda images: np.full(len(images), np.nan)
    )
    with pytest.raises(UserError, match="scorer 'sharpness' returned NaN or infinity for 80 of 80 images"):
        evaluate.run_evaluate(config, storage)
    assert not storage.exists("models/default/evaluation.json")
