"""What `--model` may name: a scorer, or the model of a run, folder or file."""

import socket
import time

import numpy as np
import pytest

from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.quality.measures.sharpness import sharpness
from synfiqa.actors.quality.registry import SCORERS, standalone
from synfiqa.fiqa_train.scoring.sources import load_scorer, open_scorer, open_scorers, require_answer, scorer_columns
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError

IMAGES = canary_images(2)


@pytest.mark.parametrize("name", [name for name in standalone() if name not in SCORERS or not SCORERS[name].needs])
def test_every_scorer_that_needs_no_run_has_a_name(name):
    scorer = open_scorer(name)
    assert (scorer.name, scorer.card.name) == (name, name)
    images = canary_images(2, 160) if scorer.takes_portraits else IMAGES
    assert np.isfinite(scorer.score(images)).all()


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


@pytest.mark.parametrize("name", ["sharpness", "bundled-quality"])
def test_a_scorer_is_loaded_by_name_from_python(name):
    """`synfiqa.load_scorer` took runs and files alone."""
    np.testing.assert_allclose(load_scorer(name).score(IMAGES), open_scorer(name).score(IMAGES), rtol=1e-6)


CARD = """
models:
  mine:
    role: quality
    architecture: fiqa-compact
    source: random:0
    input_size: 112
    channels: rgb
    value_range: [-1, 1]
    output: untrained
    higher_is_better: true
    licence: Apache-2.0
    commercial_use: true
"""


def test_a_card_of_a_catalogue_is_named_with_its_file(tmp_path):
    """Cards of published scorers could be evaluated, but `score --model` knew names of the registry alone."""
    (tmp_path / "models.yaml").write_text(CARD)
    name = f"{tmp_path}/models.yaml:mine"
    scorers = open_scorers([name, "sharpness"])
    assert np.isfinite(scorers[name].score(IMAGES)).all()
    own, other = scorer_columns(scorers)
    assert (own.name, len(own.digest), other.digest) == (name, 64, "built-in")
    with pytest.raises(UserError, match="there is no scorer 'yours'"):
        open_scorer(f"{tmp_path}/models.yaml:yours")
    with pytest.raises(UserError, match=r"none\.yaml cannot be read"):
        open_scorer("none.yaml:mine")


def test_a_store_that_never_answers_is_named_in_time():
    """`--model http://x/y` was silent for 300 s."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/y"
        begin = time.monotonic()
        with pytest.raises(UserError, match=f"--model {url} has not answered for 1 s"):
            require_answer(url, 1.0)
        assert time.monotonic() - begin < 20


def test_a_host_that_is_not_there_is_named_in_time():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/y"
        with pytest.raises(UserError, match=f"--model {url} cannot be reached: .*Connection refused"):
            require_answer(url, 4.0)


def test_scorers_have_digests_and_scales(model):
    found = open_scorers(["bundled-quality", "norm", "sharpness", f"{model}/"])
    columns = scorer_columns(found)
    assert [column.name for column in columns] == ["bundled-quality", "norm", "sharpness", model]
    quality, norm, sharp, own = columns
    assert quality.digest == load_quality_model("bundled-quality").card.sha256
    assert len(norm.digest) == 64, "that of the embedder"
    assert sharp.digest == "built-in"
    assert own.digest == load_quality_model(model).card.sha256
    assert [column.scale is None for column in columns] == [False, True, True, True]


def test_a_scorer_named_twice_and_a_device_that_is_not_here_are_refused():
    with pytest.raises(UserError, match="names sharpness twice"):
        open_scorers(["sharpness", "sharpness"])
    with pytest.raises(UserError, match="--device cuda:99: there are"):
        open_scorers(["sharpness"], "cuda:99")
    with pytest.raises(UserError, match="--device gpu is no device"):
        open_scorers(["sharpness"], "gpu")
