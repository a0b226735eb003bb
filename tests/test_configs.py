"""Every config in the repository is valid, and the quickstart is as large as the README says."""

from pathlib import Path

import pytest

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.selection import run_models
from synfiqa.actors.quality.registry import standalone
from synfiqa.jobs.config import load_config, load_sections
from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig
from synfiqa.schemas.errors import UserError

FOLDER = Path(__file__).parents[1] / "configs"
CATALOGUES = sorted(FOLDER.glob("models-*.yaml"))
LEADERBOARD = FOLDER / "leaderboard.yaml"
SCORERS = FOLDER / "scorers.yaml"
CONFIGS = sorted(set(FOLDER.glob("*.yaml")) - {*CATALOGUES, LEADERBOARD, SCORERS})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_is_valid(path):
    load_config(str(path))


def test_the_leaderboard_config_is_valid():
    config = load_sections(str(LEADERBOARD), LeaderboardConfig)
    assert config.evaluate.judges == ("bundled-b", "dlib")
    with pytest.raises(UserError, match=r"evaluate\.judge is not a known key .*: did you mean judges\?"):
        load_sections(str(LEADERBOARD), LeaderboardConfig, ["evaluate.judge=[dlib]"])
    with pytest.raises(UserError, match=r"model_s is not a known key .*: did you mean models"):
        load_sections(str(LEADERBOARD), LeaderboardConfig, ["model_s.x=1"])


def test_the_shoot_out_has_every_scorer_that_needs_no_file():
    config = load_sections(str(SCORERS), LeaderboardConfig)
    assert set(config.evaluate.scorers) == {"model", "label", *standalone()}
    assert len(config.evaluate.judges) == len(config.evaluate.fmr) == 3
    assert config.costs


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.name)
def test_model_catalogue_is_valid(path):
    assert Catalogue.load(str(path)).own()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_names_models_that_exist(path, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    run_models(load_config(str(path)).models)


def test_the_quickstart_makes_what_the_readme_says():
    generate = load_config(str(FOLDER / "quickstart.yaml")).generate
    assert generate.identities * (generate.references + generate.degraded) >= 1440
    assert generate.identities / generate.identities_per_shard >= 5
