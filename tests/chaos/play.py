"""Chooses how a scenario is played."""

from tests.chaos.battle import Battle, Battlefield, Outcome
from tests.chaos.lease_battle import LeaseBattle
from tests.chaos.refusal_battle import OnlyOtherLibraries
from tests.chaos.scenarios import Scenario

BATTLES: dict[str, type[Battle]] = {
    "lease lost in label": LeaseBattle,
    "lease lost in train": LeaseBattle,
    "only other libraries": OnlyOtherLibraries,
}


def play(field: Battlefield, scenario: Scenario) -> Outcome:
    """Play a scenario to its end; AssertionError names the promise that broke."""
    return BATTLES.get(scenario.disasters[0], Battle)(field, scenario).fight()
