"""What `--model` may name: a scorer, or the model of a run, folder or file."""

import numpy as np
import pytest

from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.quality.measures.sharpness import sharpness
from synfiqa.actors.quality.registry import standalone
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError

IMAGES = canary_images(2)


@pytest.mark.parametrize("name", standalone())
def test_every_scorer_that_needs_no_run_has_a_name(name):
    scorer = open_scorer(name)
    assert (scorer.name, scorer.card.name) == (name, name)
    assert np.isfinite(scorer.score(IMAGES)).all()


def test_a_name_is_a_measure_and_a_path_a_model(model):
    np.testing.assert_array_equal(open_scorer("sharpness").score(IMAGES), sharpness(IMAGES))
    np.testing.assert_array_equal(open_scorer(model).score(IMAGES), load_quality_model(model).score(IMAGES))


@pytest.mark.parametrize("name", ["sharp", "label", "model"])
def test_an_unknown_name_is_refused_with_the_known_ones(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"no scorer, run or model '{name}'; choose among sharpness, random, norm, mir"):
        open_scorer(name)
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="no run folder, model folder"):
        open_scorer(name)


def test_an_unknown_name_ends_with_2_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"no photograph")
    with pytest.raises(SystemExit) as stop:
        main(["score", "photo.jpg", "--model", "blurriness", "--out", "scores.csv"])
    assert stop.value.code == 2
    assert "choose among sharpness" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()
