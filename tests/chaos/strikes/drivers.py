"""Disasters of drivers and their workers: killed, terminated, frozen, doubled."""

import signal
import time

from synfiqa.schemas.errors import RunHeld
from tests.chaos.battle import Battle
from tests.chaos.processes import Driver, kill_some


def kill_driver(battle: Battle, driver: Driver) -> Driver:
    driver.kill()
    return battle.start()


def terminate_driver(battle: Battle, driver: Driver) -> Driver:
    driver.send(signal.SIGTERM)
    code = battle.end_of(driver)
    if code == -signal.SIGTERM:
        # Before it has installed its own handler, or after it has printed its result and is exiting.
        words = driver.words()
        assert not words or '"digest":' in words, f"a driver that had begun must end in a sentence: {words}"
    else:
        assert code in (143, 0), f"SIGTERM ended the driver with {code}: {driver.words()}"
        assert code == 0 or "run the same command again" in driver.words()
    return battle.start()


def kill_workers(battle: Battle, driver: Driver) -> Driver:
    deadline = time.monotonic() + 20
    while not driver.ended() and time.monotonic() < deadline:
        if kill_some(battle.field.raylets.workers(), battle.dice):
            break
        time.sleep(0.05)
    return driver


def freeze_driver(battle: Battle, driver: Driver) -> Driver:
    """Stop the owner, let another driver take over and finish, resume the owner: it must change nothing."""
    driver.send(signal.SIGSTOP)
    heir = battle.start()
    code = battle.end_of(heir)
    assert code == 0, f"the heir ended with {code}: {heir.words()}"
    before = battle.commit_bytes()
    driver.send(signal.SIGCONT)
    code = battle.end_of(driver)
    assert code in (RunHeld.exit_code, 0), f"the zombie ended with {code}: {driver.words()}"
    assert battle.commit_bytes() == before, "the zombie changed a commit"
    return battle.start()


def two_drivers(battle: Battle, driver: Driver) -> Driver:
    second = battle.start()
    code = battle.end_of(second)
    if code == RunHeld.exit_code:
        assert "held by" in second.words(), second.words()
    else:
        assert code == 0, f"the second driver ended with {code}: {second.words()}"
    return driver


DRIVERS = {
    "kill driver": kill_driver,
    "terminate driver": terminate_driver,
    "kill workers": kill_workers,
    "freeze driver": freeze_driver,
    "two drivers": two_drivers,
}
