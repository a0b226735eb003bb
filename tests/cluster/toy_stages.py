"""Toy stages for pipeline tests: they add, fail, exit or are slow on chosen units."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from synfiqa.cluster.pipeline.salvage import Salvage
from synfiqa.cluster.pipeline.stage import Resources, Stage, Work
from synfiqa.schemas.errors import StorageRefused

SCHEMA = pa.schema([("value", pa.int64())])


def toy_units(count: int) -> list[Work]:
    return [Work("samples", n, pa.table({"value": [n, n + 100]}, schema=SCHEMA), plan={"n": n}) for n in range(count)]


class AddOne(Stage):
    name = "add_one"
    resources = Resources(cpus=0.5)

    def process(self, work: Work) -> Work:
        values = [value + 1 for value in work.table["value"].to_pylist()]
        return replace(work, table=pa.table({"value": values}, schema=SCHEMA), counts={"rows": len(values)})


class Dawdle(AddOne):
    """Works longer on early units, so that later ones overtake them."""

    name = "dawdle"

    def process(self, work: Work) -> Work:
        time.sleep(0.4 if work.number == 0 else 0.01)
        return super().process(work)


class Ponder(AddOne):
    """Takes the same time for each unit."""

    name = "ponder"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def process(self, work: Work) -> Work:
        time.sleep(self._seconds)
        return super().process(work)


class FailOn(AddOne):
    """Raises on one unit, `times` times (counted in a folder, since workers come and go)."""

    name = "fail_on"

    def __init__(self, number: int, times: int, folder: Path) -> None:
        self._number, self._times, self._folder = number, times, folder

    def process(self, work: Work) -> Work:
        if work.number == self._number and _count(self._folder) < self._times:
            _note(self._folder)
            raise ValueError(f"unit {work.number} is poison")
        return super().process(work)


class DieOn(FailOn):
    """Kills its process instead of raising."""

    name = "die_on"

    def process(self, work: Work) -> Work:
        if work.number == self._number and _count(self._folder) < self._times:
            _note(self._folder)
            os._exit(1)
        return AddOne.process(self, work)


class KillRow(Stage):
    """Kills its process whenever a call holds one value; all calls go through Salvage."""

    name = "kill_row"
    resources = Resources(cpus=0.5)

    def __init__(self, value: int) -> None:
        self._value = value

    def process(self, work: Work) -> Work:
        salvage = Salvage(self)
        made = salvage.map(work.table["value"].to_pylist(), self._call, size=2, name=str)
        values = [value for value in made if value is not None]
        return salvage.finish(work, pa.table({"value": values}, schema=SCHEMA))

    def _call(self, values: list[int]) -> list[int]:
        if self._value in values:
            os._exit(1)
        return [value + 1 for value in values]


class Refuse(AddOne):
    """Raises StorageRefused, as after expired credentials."""

    name = "refuse"

    def process(self, work: Work) -> Work:
        raise StorageRefused("credentials have expired: renew them")


class BreakSetup(AddOne):
    """Fails to load its model."""

    name = "break_setup"

    def setup(self) -> None:
        raise FileNotFoundError("no such weights")


class Lifecycle(AddOne):
    """Notes in a folder what is called, by process; `dies` ends the process on that unit, once."""

    name = "lifecycle"

    def __init__(self, folder: Path, name: str = "lifecycle", dies: int = -1) -> None:
        self.name = name  # type: ignore[misc]
        self._folder, self._dies = folder, dies

    def setup_on_node(self) -> None:
        self._note("node")
        time.sleep(0.3)  # another worker of the node has started by then

    def setup(self) -> None:
        self._note("setup")

    def process(self, work: Work) -> Work:
        self._note("process")
        if work.number == self._dies and not self._died().exists():
            self._died().touch()
            os._exit(1)
        return super().process(work)

    def close(self) -> None:
        self._note("close")

    def calls(self, what: str) -> list[str]:
        """Return the processes that called it, in order."""
        return [path.name.split("@")[1] for path in sorted(self._folder.glob(f"*-{self.name}-{what}@*"))]

    def _note(self, what: str) -> None:
        (self._folder / f"{time.time_ns()}-{self.name}-{what}@{os.getpid()}").touch()

    def _died(self) -> Path:
        return self._folder / f"{self.name}-died"


class BreakNode(AddOne):
    """Cannot prepare its node."""

    name = "break_node"

    def setup_on_node(self) -> None:
        raise PermissionError("the cache is read-only")

    def close(self) -> None:
        raise AssertionError("a stage that was never set up is not closed")


def _count(folder: Path) -> int:
    return len(list(folder.iterdir()))


def _note(folder: Path) -> None:
    (folder / f"{time.time_ns()}-{os.getpid()}").touch()
