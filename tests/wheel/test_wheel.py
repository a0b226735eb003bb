"""The wheel that users install: one top-level name, whole, and at home among folders with the names of ours."""

import re
import zipfile

import pytest

from tests.wheel.trial import build_wheel, hostile_folder, install, top_level_names, use


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("dist"))


def test_the_only_top_level_name_is_synfiqa(wheel):
    """Five generic names (jobs, schemas, ...) collided with other software."""
    assert top_level_names(wheel) == {"synfiqa"}


def test_it_holds_weights_configs_templates_and_types(wheel):
    """Without its configs, `bootstrap --part quality` named a file that no installation had."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "synfiqa/configs/quickstart.yaml",
        "synfiqa/configs/default-model.yaml",
        "synfiqa/actors/weights/bundled-a.safetensors",
        "synfiqa/actors/weights/bundled-quality.safetensors",
        "synfiqa/actors/weights/bundled-dsl.safetensors",
        "synfiqa/jobs/report_page/report.html.j2",
        "synfiqa/jobs/report_page/models.html.j2",
        "synfiqa/jobs/report_page/macros.html.j2",
        "synfiqa/py.typed",
    } <= names


@pytest.mark.ray
@pytest.mark.e2e
def test_it_scores_and_generates_in_a_folder_with_hostile_names(wheel, tmp_path):
    """Ray puts the driver's folder on its workers' path: those of a folder with its own jobs/ died without end."""
    programs = install(wheel, tmp_path / "environment", "uv")
    printed = use(programs, hostile_folder(tmp_path / "elsewhere"))
    assert re.search(r"1 photograph in scores.csv:\s+scored +1\n", printed)
    assert "samples of 2 identities" in printed
