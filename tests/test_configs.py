"""Every config in the repository is valid, and the quickstart is as large as the README says."""

from pathlib import Path

import pytest

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.selection import run_models
from synfiqa.jobs.config import load_config

FOLDER = Path(__file__).parents[1] / "configs"
CATALOGUES = sorted(FOLDER.glob("models-*.yaml"))
CONFIGS = sorted(set(FOLDER.glob("*.yaml")) - set(CATALOGUES))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_is_valid(path):
    load_config(str(path))


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
