"""Scenarios of the chaos suite on S3 and a changing cluster; `python -m tests.chaos` runs the whole suite."""

import pytest

from tests.chaos.grounds import battlefield
from tests.chaos.play import play
from tests.chaos.scenarios import DISASTERS, kinds_on, make_packed, make_scenarios

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.timeout(900)]

SCENARIOS = make_packed(12, seed=10, stores=("s3",))
"""A dozen that contains every disaster that needs no disk of its own."""
IN_CI = (6, 7, 8, 9)
"""Those of the dozen that end within two minutes on two cores and differ most; the others wait for leases or stores."""


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    with battlefield(tmp_path_factory.mktemp("chaos")) as field:
        yield field


@pytest.mark.parametrize("scenario", [SCENARIOS[number] for number in IN_CI], ids=str)
def test_a_disturbed_run_equals_the_undisturbed_one(field, scenario):
    outcome = play(field, scenario)
    assert outcome.struck or scenario.poison, "no disaster struck: the scenario shows nothing"


def test_the_dozen_contains_every_disaster_that_needs_no_disk_of_its_own():
    assert {name for scenario in SCENARIOS for name in scenario.disasters} == set(DISASTERS) - {"full disk"}
    assert len(SCENARIOS) == 12


def test_a_seed_gives_the_same_scenarios_and_as_many_as_there_are_kinds_contain_every_disaster():
    assert make_scenarios(80, 0) == make_scenarios(80, 0)
    row = make_scenarios(len(kinds_on(("local", "s3"))), 0)
    assert {name for scenario in row for name in scenario.disasters} == set(DISASTERS)
    assert {scenario.store for scenario in row} == {"local", "s3"}
