"""Disasters of nodes: they join, drain, die, lose their GPU, or cannot do the work."""

import socket
import time
from importlib.metadata import version

from tests.chaos.battle import Battle
from tests.chaos.processes import Driver
from tests.chaos.raylets import OTHER_LIBRARY, OTHER_VERSION

NOTICE_S = 30.0
NOTICED_S = 6.0
"""Seconds until a driver, which looks at the nodes every five, has seen the notice."""
IN_FLIGHT = 2
"""Units that a worker may have in hand."""


def kill_node(battle: Battle, driver: Driver) -> Driver:
    """A machine is gone, and an empty one comes in its place."""
    raylets = battle.field.raylets
    raylets.replace(raylets.victim(battle.dice))
    return driver


def kill_head(battle: Battle, driver: Driver) -> Driver:
    battle.field.raylets.replace_head()
    # It would take Ray a minute to give up on the head.
    driver.kill()
    return battle.start()


def node_joins(battle: Battle, driver: Driver) -> Driver:
    """A node that joins in mid-run must get work."""
    with battle.holding():
        name = battle.field.raylets.join("c")
        battle.until(driver, f"{name} has joined and gets work", lambda: bool(battle.work_on(name)))
    return driver


def node_drains(battle: Battle, driver: Driver) -> Driver:
    """A node with notice gets nothing new, finishes what it has, and is gone then."""
    raylets = battle.field.raylets
    name = raylets.victim(battle.dice)
    raylets.drain(name, NOTICE_S)
    _let_pass(driver, NOTICED_S)
    before = len(battle.work_on(name))
    _let_pass(driver, battle.dice.uniform(1, 8))
    # A worker in hand of two units begins up to four stages of each.
    late = battle.work_on(name)[before:]
    assert len({line.split()[2] for line in late}) <= 2 * IN_FLIGHT, f"{name} drains and got new work: {late}"
    raylets.kill(name)
    return driver


def _let_pass(driver: Driver, seconds: float) -> None:
    """Wait so long, or until the driver ends."""
    began = time.monotonic()
    while not driver.ended() and time.monotonic() - began < seconds:
        time.sleep(0.1)


def node_dies(battle: Battle, driver: Driver) -> Driver:
    """SIGKILL of a raylet alone, and nothing comes in its place."""
    raylets = battle.field.raylets
    raylets.kill(raylets.victim(battle.dice))
    return driver


def gpu_vanishes(battle: Battle, driver: Driver) -> Driver:
    """One of two GPUs for which the stages were planned is gone: the work must go on with the other."""
    raylets = battle.field.raylets
    raylets.kill(raylets.victim(battle.dice))
    before = battle.commits()
    deadline = time.monotonic() + 120
    while not driver.ended() and battle.commits() < before + 1:
        assert time.monotonic() < deadline, f"no commit in 120 s after a GPU was lost: {driver.words()}"
        time.sleep(0.1)
    return driver


def set_up_fails(battle: Battle, driver: Driver) -> Driver:
    """A node joins on which nothing can be set up: it is set aside with a sentence, and makes nothing."""
    with battle.holding():
        name = battle.field.raylets.join_broken()
        said = (f"node {socket.gethostname()} is set aside", "no such weights")
        _set_aside(battle, driver, name, said)
    return driver


def other_libraries(battle: Battle, driver: Driver) -> Driver:
    """A node joins whose libraries are others: it is set aside with a sentence that names both versions."""
    with battle.holding():
        name = battle.field.raylets.join_with_other_libraries()
        versions = f"{OTHER_LIBRARY} {OTHER_VERSION}, not {version(OTHER_LIBRARY)}"
        _set_aside(battle, driver, name, (f"{socket.gethostname()} has other libraries than the driver", versions))
    return driver


def _set_aside(battle: Battle, driver: Driver, name: str, said: tuple[str, ...]) -> None:
    def met() -> bool:
        return all(text in driver.said() for text in said)

    battle.until(driver, f"{name} is set aside with {said}", met)
    battle.after.append(lambda: _nothing_on(battle, name))


def _nothing_on(battle: Battle, name: str) -> None:
    made = battle.work_on(name)
    assert not made, f"{name} must not work, and did: {made}"


NODES = {
    "kill node": kill_node,
    "kill head": kill_head,
    "node joins": node_joins,
    "node drains": node_drains,
    "node dies": node_dies,
    "GPU vanishes": gpu_vanishes,
    "set-up fails": set_up_fails,
    "other libraries": other_libraries,
}
