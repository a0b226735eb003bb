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
    for name, value in TINY.items():
        section, _, key = name.partition(".")
        tree.setdefault(section, {})[key] = yaml.safe_load(str(value))
    (folder / "dusty.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    run(_synfiqa("run", "dusty.yaml", "--run", str(folder / "run")), folder, **path)
    run(_synfiqa("report", "--run", str(folder / "run")), folder, **path)
    return folder / "run"


def _synfiqa(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "synfiqa.jobs.cli", *arguments]


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


def test_the_report_draws_the_factor(finished):
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert "Dust on the lens" in page
    assert " specks" in page


def test_the_evaluation_has_the_scorer(finished):
    evaluation = json.loads((finished / "models" / "default" / "evaluation.json").read_text())
    assert "contrast" in json.dumps(evaluation)


def test_score_takes_the_scorer_by_name(finished, path, tmp_path):
    ledger = dataset.dataset(finished / "identities").to_table(columns=["image", "status"]).to_pylist()
    portrait = next(row["image"]["bytes"] for row in ledger if row["status"] == "accepted")
    Image.open(io.BytesIO(portrait)).save(tmp_path / "face.png")
    line = _synfiqa("score", str(tmp_path), "--model", "contrast", "--out", str(tmp_path / "scores.csv"))
    run(line, tmp_path, **path)
    assert "face.png" in (tmp_path / "scores.csv").read_text()
