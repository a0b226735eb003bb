"""Plays one scenario: starts drivers, injects disasters, restarts until the run is complete, and checks it."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.schemas.errors import RunHeld, StorageUnavailable
from tests.chaos.driver import Order
from tests.chaos.oracle import expected
from tests.chaos.processes import Driver
from tests.chaos.raylets import Raylets
from tests.chaos.scenarios import KINDS, Scenario
from tests.stores.fault_proxy import FaultProxy, Rule

PATIENCE_S = 240.0
SILENCE_S = 150.0
"""Longest time in which a driver neither commits nor writes: a wait is reported after 45 s, then once a minute."""
COMMITS = 18
"""Commits of a complete run, 6 ledger units and 12 shards; the moment of a disaster is drawn from this range."""
EARLY = 9
"""Commits up to which enough units are left that a node which joins gets some, though each worker has two in hand."""
STARTS = 8
SLOW, SLOW_S = 20, 5.0
"""Requests in a row of a slow store, and the seconds that each takes."""
SAMPLES_EACH = 8
"""Samples of an identity."""
FIRST_IDENTITIES, GROWN = 23, (30, 31)
"""Identities of a run before it grows, whose last shard is not full, and after."""


@dataclass
class Battlefield:
    """Resources shared by scenarios: the cluster, the S3 server behind its proxy, and a folder."""

    raylets: Raylets
    folder: Path
    bucket: Path
    """The folder that the S3 server shows as a bucket."""
    proxy: FaultProxy
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """Outcome of a scenario: drivers started, disasters injected, units computed more than once."""

    drivers: int = 0
    struck: list[str] = field(default_factory=list)
    recomputed: int = 0
    seconds: float = 0.0


class Battle:
    """One scenario on a battlefield."""

    def __init__(self, field: Battlefield, scenario: Scenario) -> None:
        self.field = field
        self.scenario = scenario
        self.dice = random.Random(f"{scenario.seed}-{scenario.number}-moments")
        self.folder = field.folder / f"{scenario.seed}-{scenario.number}"
        self.folder.mkdir()
        self.disk: Path | None = None
        self.outcome = Outcome()
        self.after: list[Callable[[], None]] = []
        """Checks of disasters, for when the run is finished."""
        self._drivers: list[Driver] = []
        self._worklog = self.folder / "work.log"
        self._hold = self.folder / "hold"
        self._starts: list[tuple[int, set[int]]] = []
        """For each driver: length of the work log at its start, and the shards committed by then."""
        self._identities = FIRST_IDENTITIES if scenario.grows else 24

    def fight(self) -> Outcome:
        """Play the scenario to its end; AssertionError names the promise that broke."""
        started = time.monotonic()
        try:
            with self.place() as (url, seen):
                self.play(url, seen)
        finally:
            for driver in self._drivers:
                driver.kill()
            self.field.proxy.reset(stall_s=self.field.proxy.stall_s)
            self.field.raylets.restore()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def play(self, url: str, seen: Path) -> None:
        """Run drivers and disasters until the run is finished, and check it."""
        from tests.chaos.strikes import STRIKES

        trouble = {"seconds": 0.12, "poison": self.scenario.poison, "log": str(self._worklog), "hold": str(self._hold)}
        settings = {"placement": self.scenario.placement, "storage": {"format": self.scenario.file_format}}
        self.order = Order(url, {**settings, "generate": {"identities": self._identities}}, trouble)
        self.seen = seen
        self._slow_down()
        driver = self.start()
        names = [name for name in self.scenario.disasters if name in STRIKES]
        for place, name in enumerate(names):
            moment = int((place + self.dice.random()) * (COMMITS - 2) / len(names))
            moment = min(moment, EARLY) if KINDS[name].elastic else moment
            # A complete run cannot be damaged; injected disasters are counted, so that a suite without any is noticed.
            if self._wait_for_commits(driver, moment):
                self.outcome.struck.append(name)
                driver = STRIKES[name](self, driver)
        if self.scenario.grows:
            driver = self._grow(driver)
        self._finish(driver)
        self._check(seen)
        for check in self.after:
            check()
        if self.field.proxy.struck["delay"]:
            self.outcome.struck.append("slow store")

    @contextmanager
    def place(self) -> Iterator[tuple[str, Path]]:
        """Yield the location of the run: a URL for the drivers and a local folder for the checks."""
        name = f"run-{self.scenario.seed}-{self.scenario.number}"
        if self.scenario.store == "s3":
            yield f"s3://{self.field.bucket.name}/{name}", self.field.bucket / name
        elif "full disk" in self.scenario.disasters:
            self.disk = self.folder / "disk"
            self.disk.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", self.disk], check=True)
            try:
                yield str(self.disk / name), self.disk / name
            finally:
                subprocess.run(["umount", "-l", self.disk], check=True)
        else:
            yield str(self.folder / name), self.folder / name

    def start(self) -> Driver:
        """Start the next driver of the run."""
        self.outcome.drivers += 1
        self._starts.append((len(self.work()), self._committed_shards()))
        log = self.folder / f"driver-{self.outcome.drivers}.log"
        self._drivers.append(Driver(self.order, self.field.raylets.address, self.field.environment, log))
        return self._drivers[-1]

    def work(self) -> list[str]:
        """Return a line for each unit and stage so far: stage, kind, number, node."""
        return self._worklog.read_text().splitlines() if self._worklog.exists() else []

    def work_on(self, node: str) -> list[str]:
        """Return the lines of one node."""
        return [line for line in self.work() if line.endswith(f" {node}")]

    def commit_bytes(self) -> dict[str, bytes]:
        """Return all commits by name."""
        return {path.name: path.read_bytes() for path in (self.seen / "commits").iterdir()}

    def end_of(self, driver: Driver, limit: float = PATIENCE_S) -> int:
        """Return the exit code of a driver; AssertionError when it is silent for too long, or does not end."""
        deadline, seen, since = time.monotonic() + limit, (0, 0, 0), time.monotonic()
        while not driver.ended():
            now = (self.commits(), len(self.work()), len(driver.said()))
            if now != seen:
                seen, since = now, time.monotonic()
            assert time.monotonic() - since < SILENCE_S, f"silent for {SILENCE_S:g} s: {driver.words()}"
            assert time.monotonic() < deadline, f"the driver did not end within {limit:g} s: {driver.words()}"
            time.sleep(0.1)
        return driver.wait(1)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold units back inside the block, so that the run does not end before what happens there."""
        self._hold.touch()
        try:
            yield
        finally:
            self._hold.unlink()

    def until(self, driver: Driver, what: str, condition: Callable[[], bool], limit: float = SILENCE_S) -> None:
        """Wait until a condition is met; a driver may end before only where few units were left."""
        deadline, before = time.monotonic() + limit, self.commits()
        while not condition() and not driver.ended():
            assert time.monotonic() < deadline, f"{what}: not within {limit:g} s: {driver.words()}"
            time.sleep(0.1)
        assert condition() or before > EARLY, f"{what}: not before the end: {driver.words()}"

    def commits(self) -> int:
        """Return the number of commits."""
        with suppress(FileNotFoundError):
            return sum(1 for path in (self.seen / "commits").iterdir() if path.suffix == ".json")
        return 0

    def _wait_for_commits(self, driver: Driver, wanted: int) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while self.commits() < wanted or not (self.seen / "run.json").exists():
            if driver.ended():
                return False
            assert time.monotonic() < deadline, f"no progress: {driver.words()}"
            time.sleep(0.03)
        return not driver.ended()

    def _committed_shards(self) -> set[int]:
        return {int(path.stem.split("-")[1]) for path in (self.seen / "commits").glob("shard-*.json")}

    def _slow_down(self) -> None:
        """Have some requests in a row take seconds each: the moment is drawn in requests, the first of all included."""
        if "slow store" in self.scenario.disasters:
            self.field.proxy.rules.append(Rule("delay", skip=self.dice.randint(0, 120), times=SLOW, delay_s=SLOW_S))

    def _grow(self, driver: Driver) -> Driver:
        """Want more identities: when the run is finished, or in its middle; half way a driver may be killed."""
        if self.dice.random() < 0.5:
            self._finish(driver)
        elif not driver.ended():
            driver.send(signal.SIGTERM)
            self.end_of(driver)
        self._identities = self.dice.choice(GROWN)
        wanted = {"generate": {"identities": self._identities}}
        self.order = replace(self.order, settings={**self.order.settings, **wanted})
        # A shard that was not full is made once more, with what is new in it.
        before, driver = self.commits(), self.start()
        name = "kill driver in growth" if "kill driver in growth" in self.scenario.disasters else "run grows"
        if name == "run grows" or self._wait_for_commits(driver, before + self.dice.randint(0, 3)):
            self.outcome.struck.append(name)
        if name != "run grows" and not driver.ended():
            driver.kill()
            driver = self.start()
        return driver

    def _finish(self, driver: Driver) -> None:
        """Submit the same command until it succeeds, as a user would."""
        code = self.end_of(driver)
        while code != 0:
            retryable = (StorageUnavailable.exit_code, RunHeld.exit_code, -signal.SIGKILL, -signal.SIGABRT)
            assert code in retryable, f"exit {code}: {driver.words()}"
            assert self.outcome.drivers < STARTS, f"no end after {STARTS} drivers: {driver.words()}"
            driver = self.start()
            code = self.end_of(driver)
        self.field.proxy.rate = 0.0

    def _check(self, seen: Path) -> None:
        wanted = expected(self.scenario.poison, str(self.field.folder), self._identities)
        summary = json.loads((seen / "dataset.json").read_text())
        assert summary["planned"] == summary["accepted"] + sum(summary["rejected"].values()) + summary["dead"]
        assert summary["samples_planned"] == summary["samples"] + summary["samples_dead"]
        assert summary["samples_planned"] == self._identities * SAMPLES_EACH
        assert summary == {**wanted.model_dump(), "rejected": summary["rejected"]}, (summary, wanted)
        found = verify_run(Storage(str(seen)))
        assert not found.problems, found.problems
        assert not found.notes, found.notes
        assert found.summary == wanted.model_copy(update={"rejected": found.summary.rejected})
        self._check_recomputation()

    def _check_recomputation(self) -> None:
        """Check that a driver does not repeat shards committed before its start, except units in progress then."""
        lines = self.work()
        runs = Counter(line.rpartition(" ")[0] for line in lines if " samples " in line)
        self.outcome.recomputed = sum(count - 1 for count in runs.values())
        unfilled = FIRST_IDENTITIES // 2 if self.scenario.grows else -1
        # Workers of a killed driver may go on for a moment, and a worker may die between its commit and its last mark.
        stragglers = 2 * (self.scenario.placement["workers"] or 3)
        for begun, committed in self._starts:
            again = [
                line for line in lines[begun:] if " samples " in line and int(line.split()[2]) in committed - {unfilled}
            ]
            assert len(again) <= stragglers, f"committed shards were made again: {again}"
