"""`synfiqa export-model`: one file that `score --model` takes, with the scores of the model."""

import csv
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.fiqa_train.scoring.sources import load_scorer, open_scorer
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.jobs.cli import main


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "bundled.onnx"
    assert run("export-model", "bundled-quality", "--out", str(out)) == 0
    return out


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    return stop.value.code


def test_the_file_scores_as_the_model(exported):
    wanted = load_quality_model("bundled-quality").score(canary_images(5))
    for scorer in (open_scorer(str(exported)), load_scorer(str(exported))):
        assert scorer.score(canary_images(5)) == pytest.approx(wanted, abs=1e-4)
        assert scorer.card.name == "bundled-quality"
        assert scorer.card.scale == load_quality_model("bundled-quality").card.scale


def test_photographs_are_scored_by_the_file(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()).save("astronaut.png")
    assert run("score", "astronaut.png", "--model", f"bundled-quality,{exported}", "--out", "scores.csv") == 0
    with Path("scores.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row[f"score:{exported}"]) == pytest.approx(float(row["score"]), abs=1e-4)
    assert row[f"percentile:{exported}"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bundled-quality", "--out", "model.bin"), "must end with .onnx"),
        (("bundled-quality", "--out", "s3://bucket/model.onnx"), "writes to this machine"),
        (("bundled-quality", "--out", "nowhere/model.onnx"), "nowhere is not there"),
        (("sharpness", "--out", "model.onnx"), "sharpness is no run folder"),
        (("absent.onnx", "--out", "model.onnx"), "absent.onnx is no run folder"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("export-model", *arguments) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()).save("astronaut.png")
    assert run("score", "astronaut.png", "--model", "absent.onnx") == 2
    assert "absent.onnx cannot be read" in capsys.readouterr().err
