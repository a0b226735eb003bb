"""Disasters of stores: a full disk, and requests that fail."""

from contextlib import suppress

from synfiqa.schemas.errors import StorageRefused
from tests.chaos.battle import Battle
from tests.chaos.processes import Driver


def full_disk(battle: Battle, driver: Driver) -> Driver:
    assert battle.disk is not None
    ballast = battle.disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"\0" * 2**20):
            pass
    code = battle.end_of(driver)
    assert code in (StorageRefused.exit_code, 0), f"a full disk ended the driver with {code}: {driver.words()}"
    assert code == 0 or "full" in driver.words() or "space" in driver.words(), driver.words()
    ballast.unlink()
    return battle.start()


def storage_faults(battle: Battle, driver: Driver) -> Driver:
    battle.field.proxy.rate = 0.15
    return driver


STORES = {"full disk": full_disk, "storage faults": storage_faults}
