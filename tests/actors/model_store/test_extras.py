"""A model that needs an extra: listed as such, skipped by checks, and refused with the line that installs it."""

import pytest

from synfiqa.actors.model_store.architectures import extras
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError


@pytest.fixture
def bare(monkeypatch):
    """An installation without extras."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None)


def test_it_is_listed_with_the_extra_that_it_needs(bare, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["models", "list"])
    assert not stop.value.code
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("dlib ")]
    assert "needs synfiqa[dlib]" in line
    assert "CC0-1.0" in line


def test_its_use_is_refused_with_the_line_that_installs_it(bare):
    with pytest.raises(UserError, match=r"'dlib' needs synfiqa\[dlib\], .* here: `uv sync --extra dlib`"):
        locate(bundled()["dlib"])


def test_checks_and_fetches_of_all_models_go_on_without_it(bare, capsys):
    finding = check_model(bundled()["dlib"])
    assert finding.ok
    assert finding.notes == [f"not checked, it needs synfiqa[dlib]: {extras.remedy('dlib')}"]
    with pytest.raises(SystemExit) as stop:
        main(["models", "fetch", "dlib", "line-glasses"])
    assert not stop.value.code
    assert "dlib: needs synfiqa[dlib]" in capsys.readouterr().out


def test_other_models_need_none(bare):
    assert {name for name, model in bundled().items() if extras.missing_extra(model.card)} == {"dlib"}
