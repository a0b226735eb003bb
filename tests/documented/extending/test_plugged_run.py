"""A package with a factor, a scorer and an embedder, built from docs/extending.md, installed, and run."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.dataset as dataset
import pytest
import yaml
from PIL import Image

from tests.documented.extending.page import blocks, build, run
from tests.e2e.command import ROOT, TINY

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> dict[str, str]:
    """Return the environment in which the package is installed."""
    return {"PYTHONPATH": f"{build(tmp_path_factory.mktemp('package'))}:{ROOT}"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, path) -> Path:
    """Return the folder of a finished run with plug-ins."""
    folder = tmp_path_factory.mktemp("dusty")
    tree = yaml.safe_load((ROOT / "configs" / "quickstart.yaml").read_text(encoding="utf-8"))
    for section, keys in yaml.safe_load(blocks()["dusty.yaml"]).items():
        tree[section] = tree.get(section, {}) | keys
    for name, value in {**TINY, "placement.workers": 1}.items():
        section, _, key = name.partition(".")
        tree.setdefault(section, {})[key] = yaml.safe_load(str(value))
    (folder / "dusty.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    run([sys.executable, "-m", "synfiqa.jobs.cli", "run", "dusty.yaml", "--run", str(folder / "run")], folder, **path)
    return folder / "run"


@pytest.fixture(scope="module")
def scores(finished, path, tmp_path_factory) -> Path:
    """Draw the report once more, without the config, then score a portrait by the scorer's name; return the scores.

    Both in one process, since importing the libraries takes most of the time of either.
    """
    folder = tmp_path_factory.mktemp("scored")
    ledger = dataset.dataset(finished / "identities").to_table(columns=["image", "status"]).to_pylist()
    portrait = next(row["image"]["bytes"] for row in ledger if row["status"] == "accepted")
    Image.open(io.BytesIO(portrait)).save(folder / "face.png")
    (finished / "report" / "index.html").unlink()
    report = ["report", "--run", str(finished)]
    score = ["score", str(folder), "--model", "contrast", "--out", str(folder / "scores.csv")]
    run([sys.executable, "-c", PROGRAM, json.dumps([report, score])], folder, **path)
    return folder / "scores.csv"


PROGRAM = """
import json
import sys
from synfiqa.jobs.cli import main
for line in json.loads(sys.argv[1]):
    try:
        main(line)
    except SystemExit as stop:
        assert not stop.code, (line, stop.code)
"""


def test_the_factor_is_in_the_recipe_and_in_a_column(finished):
    samples = dataset.dataset(finished / "samples").to_table().to_pandas()
    degraded, references = samples[samples.kind == "degraded"], samples[samples.kind == "reference"]
    assert 0.2 < (degraded.factor_dust > 0).mean() < 0.8
    assert (references.factor_dust == 0).all()
    recipe = json.loads((finished / "run.json").read_text())["recipe"]
    assert recipe["generate"]["factors"] == {"dust": {"rate": 0.5, "interval": [20.0, 400.0]}}


def test_the_scores_are_columns_and_those_of_the_stored_images(finished):
    samples = dataset.dataset(finished / "samples").to_table().to_pandas()
    images = [np.asarray(Image.open(io.BytesIO(image["bytes"]))) for image in samples.image]
    contrast = [image.astype(np.float64).std() for image in images]
    assert np.allclose(samples.score_contrast, contrast, rtol=1e-5)
    assert (samples.score_sharpness > 0).all()
    assert {entry["embedder"] for row in samples.more_recognition for entry in row} == {"fields"}


def test_the_version_of_the_package_is_in_the_fingerprint(finished):
    recipe = json.loads((finished / "run.json").read_text())["recipe"]
    assert recipe["libraries"]["synfiqa-dust"] == "1.0"
    assert recipe["models"]["scorers"] == ["contrast", "sharpness"]


def test_the_label_counts_the_cost_of_the_factor(finished):
    calibration = json.loads((finished / "labels" / "default" / "calibration.json").read_text())
    assert "dust" in {cost["factor"] for cost in calibration["scale"]["costs"]["factors"]}


def test_the_report_draws_the_factor(finished, scores):
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert "Dust on the lens" in page
    assert " specks" in page


def test_the_evaluation_has_the_scorer(finished):
    evaluation = json.loads((finished / "models" / "default" / "evaluation.json").read_text())
    assert "contrast" in json.dumps(evaluation)


def test_score_takes_the_scorer_by_name(scores):
    assert "face.png" in scores.read_text()
