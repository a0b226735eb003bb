"""Documented commands that take seconds run here; `python -m tests.documented` runs these and the longer ones."""

import pytest

from tests.documented.commands.fixtures import copy_checkout, environment, write_fixtures, write_shims
from tests.documented.commands.registry import entries
from tests.documented.commands.run import LIMIT_S, run

QUICK = [entry for entry in entries() if entry.quick]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    write_shims(folder / "bin")
    write_fixtures(copy_checkout(folder / "checkout"))
    return folder / "checkout"


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.command)
def test_a_documented_command_does_what_it_is_for(checkout, entry):
    outcome = run(entry, checkout, environment(checkout, checkout.parent / "bin"), limit=LIMIT_S / 3)
    assert outcome.ok, outcome.output


def test_a_command_that_fails_is_seen(checkout):
    entry = next(entry for entry in QUICK if "digest FOLDER" in entry.command)
    (checkout / "folder").rename(checkout / "elsewhere")
    outcome = run(entry, checkout, environment(checkout, checkout.parent / "bin"))
    (checkout / "elsewhere").rename(checkout / "folder")
    assert not outcome.ok
    assert "cannot be read" in outcome.output
