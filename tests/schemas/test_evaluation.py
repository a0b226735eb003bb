"""Result files: their fields are described, their JSON is plain, and other versions are named."""

import json

import pytest
from pydantic import BaseModel, ValidationError

from synfiqa.schemas import evaluation as results
from synfiqa.schemas.evaluation import (
    VERSION,
    BenchmarkResult,
    EvaluationResult,
    OtherVersion,
    TrainingBasis,
    TrainingResult,
    file_content,
    parse,
)
from tests.schemas.results import TRAINING, by_network, comparison, evaluation, method, scores

FOUND = comparison("iso", 0.01, {"model": method(0.7)})
EVALUATION = evaluation([by_network("bundled-b", True, FOUND)], {"model": 0.9})
SCORES = scores([FOUND], {"model": 0.9}, {"clean": {"steps": []}})
METRICS = TrainingResult(
    name="default",
    model_sha256="d" * 64,
    best_epoch=1,
    validation_spearman=0.8,
    validation_error=0.1,
    train_images=70,
    identities={"train": 7},
    history=[{"epoch": 1, "loss": 0.2, "validation_spearman": 0.8, "validation_error": 0.1}],
    basis=TRAINING,
)
FILES = [EVALUATION, SCORES, METRICS]
MODELS = [kind for kind in vars(results).values() if isinstance(kind, type) and issubclass(kind, results.Result)]


@pytest.mark.parametrize("written", FILES, ids=lambda written: type(written).__name__)
def test_a_file_holds_its_version_and_comes_back(written):
    document = json.loads(file_content(written))
    assert document["version"] == VERSION
    assert parse(type(written), document) == written


@pytest.mark.parametrize("written", FILES, ids=lambda written: type(written).__name__)
def test_another_version_is_named(written):
    with pytest.raises(OtherVersion, match=r"^version 2$"):
        parse(type(written), json.loads(file_content(written)) | {"version": 2})


@pytest.mark.parametrize("kind", [EvaluationResult, BenchmarkResult])
def test_a_file_without_version_is_of_another_one(kind):
    with pytest.raises(OtherVersion, match="without number"):
        parse(kind, {})


def test_metrics_without_version_are_read():
    document = json.loads(file_content(METRICS))
    del document["version"]
    assert parse(TrainingResult, document) == METRICS


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"more": 1}, "more: Extra inputs are not permitted"),
        ({"train_images": None}, "train_images: Input should be a valid integer"),
        ({"history": [{"epoch": 1, "loss": float("nan")}]}, "history.0.loss: Input should be a finite number"),
    ],
)
def test_a_damaged_file_is_one_clause(change, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        parse(TrainingResult, json.loads(file_content(METRICS)) | change)
    with pytest.raises(ValueError, match="no JSON object"):
        parse(TrainingResult, [])


def test_keys_without_a_value_that_older_files_lack_are_left_out():
    assert "falls" not in json.loads(file_content(SCORES))["factors"]["clean"]
    random = TrainingBasis(**TRAINING.model_dump(exclude={"embedder", "embedder_sha256"}))
    assert not {"embedder", "embedder_sha256"} & random.model_dump(mode="json").keys()


def test_the_network_stands_before_its_curves():
    assert list(json.loads(file_content(EVALUATION))["results"][0])[:3] == ["embedder", "independent", "mode"]
    assert list(json.loads(file_content(SCORES)))[:2] == ["version", "benchmark"]


def test_a_result_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        METRICS.name = "other"


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_every_field_is_described(kind: type[BaseModel]):
    assert [name for name, field in kind.model_fields.items() if not field.description] == []
    assert (kind.__doc__ or "").strip()
