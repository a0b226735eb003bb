"""Judges: several at once, never the labelling embedder alone, and each set of images embedded once."""

from typing import ClassVar

import numpy as np
import pytest

import synfiqa.fiqa_train.evaluation.evaluate_run as evaluate
from synfiqa.actors.model_store.architectures import extras
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.run.file_roles import role_of
from synfiqa.fiqa_train.evaluation.held_out import judges_of
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.evaluation.trained_run import changed, make_trained, train_here


class Coarse:
    """Embeds faces as their own coarse pixels, and counts the calls by name."""

    calls: ClassVar[list[str]] = []

    def __init__(self, name):
        self.name = name
        self.step = 8 if name == "bundled-b" else 14

    def embed(self, images):
        self.calls.append(self.name)
        vectors = images[:, :: self.step, :: self.step].reshape(len(images), -1).astype(np.float32) - 100
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    return make_trained(tmp_path_factory.mktemp("judges") / "run")


@pytest.fixture
def trained(once, monkeypatch):
    config, storage = once
    for path in (*storage.list("vectors"), "models/default/evaluation.json"):
        storage.delete(path)
    monkeypatch.setattr(Coarse, "calls", [])
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Coarse(model.name))
    return config, storage


def judged_by(config, *names):
    return changed(config, "evaluate", judges=names)


def test_by_default_the_independent_embedder_comes_before_the_labelling_one(once):
    config, _ = once
    assert [model.name for model in judges_of(resolve(config), "bundled-a")] == ["bundled-b", "bundled-a"]


def test_the_headline_is_never_from_the_network_that_labelled(trained):
    config, storage = trained
    result = evaluate.run_evaluate(judged_by(config, "bundled-a", "bundled-b"), storage)
    assert [entry.embedder for entry in result.results] == ["bundled-b"] * 4 + ["bundled-a"] * 4
    assert result.headline.embedder == "bundled-b"
    assert result.basis.evaluate["judges"] == ["bundled-a", "bundled-b"]
    assert result.basis.label_embedder == "bundled-a"


def test_every_judge_that_did_not_label_has_intervals(trained, tmp_path):
    config, storage = trained
    catalogue = tmp_path / "models.yaml"
    catalogue.write_text(
        "models:\n  third: {role: embedder, architecture: small-iresnet, source: 'random:3', arguments: {}, "
        "input_size: 112, channels: gray, normalise: per-image, value_range: null, output: unit vectors, licence: MIT, "
        "commercial_use: true}\n"
    )
    three = changed(judged_by(config, "bundled-b", "bundled-a", "third"), "models", catalogue=str(catalogue))
    result = evaluate.run_evaluate(three, storage)
    assert [entry.embedder for entry in result.results[::4]] == ["bundled-b", "third", "bundled-a"]
    found = [entry.methods["model"].interval is not None for entry in result.results[::4]]
    assert found == [True, True, False]


@pytest.mark.parametrize(
    ("section", "fields", "place"),
    [
        ("evaluate", {"judges": ("bundled-a",)}, r"evaluate\.judges"),
        ("models", {"evaluation_embedder": "bundled-a"}, r"models\.evaluation_embedder"),
    ],
)
def test_the_labelling_embedder_alone_is_refused(trained, section, fields, place):
    """A model that learned from f_r of one network was judged by that network alone, without a word."""
    config, storage = trained
    with pytest.raises(UserError, match=rf"bundled-a made the labels and would be the only judge .* in {place}"):
        evaluate.run_evaluate(changed(config, section, **fields), storage)
    assert not storage.exists("models/default/evaluation.json")


def test_a_judge_twice_or_of_another_role_is_refused(once):
    config, storage = once
    with pytest.raises(ValueError, match="judges must name no embedder twice, not bundled-b, bundled-b"):
        type(config.evaluate)(judges=("bundled-b", "bundled-b"))
    with pytest.raises(UserError, match="'mtcnn' plays the role detector, not embedder"):
        evaluate.run_evaluate(judged_by(config, "mtcnn"), storage)


def test_a_judge_that_needs_an_extra_is_refused_with_the_line_that_installs_it(trained, monkeypatch):
    config, storage = trained
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"'dlib' needs synfiqa\[dlib\].*uv sync --extra dlib.*pip install 'synfiqa\[d"):
        evaluate.run_evaluate(judged_by(config, "dlib"), storage)
    assert not Coarse.calls


def test_a_second_model_of_the_run_is_judged_without_embedding_again(trained):
    """Every evaluation embedded all held-out images anew: most of its time, for the same vectors."""
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    assert Coarse.calls == ["bundled-b"] * 2 * 2 + ["bundled-a"] * 2 * 2, "images and mirror images, 64 at a time"
    Coarse.calls.clear()
    other = changed(config, "train", name="other", epochs=1)
    train_here(other, storage)
    second = evaluate.run_evaluate(other, storage)
    assert not Coarse.calls
    for before, after in zip(first.results, second.results, strict=True):
        assert (before.fnmr0, before.methods["label"].pauc) == (after.fnmr0, after.methods["label"].pauc)
    assert first.spearman["model"] != second.spearman["model"]
    assert all(role_of(path) for path in storage.list())


def test_vectors_that_are_damaged_are_made_again(trained):
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    paths = storage.list("vectors")
    assert len(paths) == 2
    whole = storage.read(paths[0])
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:40], b""):
        storage.write(paths[0], damaged)
        storage.delete("models/default/evaluation.json")
        Coarse.calls.clear()
        assert evaluate.run_evaluate(config, storage) == first
        assert set(Coarse.calls) == {paths[0].removeprefix("vectors/")[: len("bundled-a")]}
        assert storage.read(paths[0]) == whole
