"""Chooses how a scenario is played."""

from tests.chaos.battle import Battle, Battlefield, Outcome
from tests.chaos.lease_battle import LeaseBattle
from tests.chaos.scenarios import Scenario
from tests.chaos.short_battles import OnlyOtherLibraries, SlowStore

BATTLES: dict[str, type[Battle]] = {
    "lease lost in label": LeaseBattle,
    "lease lost in train": LeaseBattle,
    "slow store": SlowStore,
    "only other libraries": OnlyOtherLibraries,
}


def play(field: Battlefield, scenario: Scenario) -> Outcome:
    """Play a scenario to its end; AssertionError names the promise that broke."""
    return BATTLES.get(scenario.disasters[0], Battle)(field, scenario).fight()
