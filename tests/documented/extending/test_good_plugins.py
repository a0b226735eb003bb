"""What commands show of plug-ins, and how runs that name them are read where they are not installed."""

import pytest

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.resolved_run import resolve, try_plugins
from synfiqa.actors.quality.registry import standalone
from synfiqa.jobs.config import parse_config
from synfiqa.jobs.terminal.model_tables import run_list
from synfiqa.schemas.factors.plugin_rows import rows_here
from tests.documented.extending.page import blocks

CODE = blocks()["dust/synfiqa_dust.py"]
ENTRIES = {
    "factors": "dust = synfiqa_dust:DUST",
    "scorers": "contrast = synfiqa_dust:CONTRAST",
    "embedders": "fields = synfiqa_dust:FIELDS",
}


def test_plug_ins_are_listed_with_package_and_version(declare, capsys):
    declare("synfiqa_dust", CODE, **ENTRIES)
    run_list(Catalogue.load())
    printed = capsys.readouterr().out
    assert "contrast: plug-in of synfiqa_dust 1.0, synfiqa.scorers" in printed
    assert "fields: plug-in of synfiqa_dust 1.0, synfiqa.embedders" in printed
    assert "contrast" in standalone()


def test_the_version_of_a_named_package_is_among_the_libraries(declare):
    declare("synfiqa_dust", CODE, **ENTRIES)
    for tree in (
        {"generate": {"factors": {"dust": {"rate": 0.5, "interval": [20, 400]}}}},
        {"models": {"scorers": ["contrast"]}},
        {"models": {"more_embedders": ["fields"]}},
    ):
        run = resolve(parse_config(tree, "test.yaml"))
        try_plugins(run)
        assert run.libraries["synfiqa_dust"] == "1.0"


def test_a_scorer_that_only_the_evaluation_names_leaves_the_dataset_as_it_is(declare):
    declare("synfiqa_dust", CODE, **ENTRIES)
    run = resolve(parse_config({"evaluate": {"scorers": ["model", "contrast"]}}, "test.yaml"))
    assert "synfiqa_dust" not in run.libraries


def test_a_reader_without_the_package_gets_the_rows_that_are_installed(declare):
    declare("synfiqa_dust", CODE, **ENTRIES)
    rows, absent = rows_here(["sand", "dust"])
    assert [row.column for row in rows] == ["factor_dust"]
    assert absent == ["sand"]


@pytest.mark.parametrize("name", ["norm", "mirror", "sharpness", "bundled-quality"])
def test_scorers_of_synfiqa_can_be_columns(name):
    run = resolve(parse_config({"models": {"scorers": [name]}}, "test.yaml"))
    assert [model.name for model in run.models.scorers] == [name]
    assert run.config.recipe_sections()["models"]["scorers"] == [name]
