"""Eight scenarios of the chaos suite on S3 and three raylets; `python -m tests.chaos` runs the whole suite."""

import pytest

from tests.chaos.battle import Battle
from tests.chaos.grounds import battlefield
from tests.chaos.scenarios import DISASTERS, make_scenarios

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.timeout(900)]

SCENARIOS = make_scenarios(8, seed=3, stores=("s3",))


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    with battlefield(tmp_path_factory.mktemp("chaos")) as field:
        yield field


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_disturbed_run_equals_the_undisturbed_one(field, scenario):
    outcome = Battle(field, scenario).fight()
    assert outcome.struck or scenario.poison, "no disaster struck: the scenario shows nothing"


def test_a_seed_gives_the_same_scenarios_and_ten_of_them_contain_every_disaster():
    assert make_scenarios(50, 0) == make_scenarios(50, 0)
    assert {name for scenario in make_scenarios(10, 0) for name in scenario.disasters} >= set(DISASTERS)
    assert {scenario.store for scenario in make_scenarios(10, 0)} == {"local", "s3"}
