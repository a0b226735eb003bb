"""Plays one scenario: starts drivers, injects disasters, restarts until the run is complete, and checks it."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.schemas.errors import RunHeld, StorageRefused, StorageUnavailable
from tests.chaos.driver import Order
from tests.chaos.oracle import expected
from tests.chaos.processes import Driver, Raylets, kill_some
from tests.chaos.scenarios import Scenario
from tests.stores.fault_proxy import FaultProxy

PATIENCE_S = 240.0
COMMITS = 18
"""Commits of a complete run, 6 ledger units and 12 shards; the moment of a disaster is drawn from this range."""
STARTS = 8
_BALLAST_BYTES = 384 * 2**20


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
        self._field = field
        self._scenario = scenario
        self._dice = random.Random(f"{scenario.seed}-{scenario.number}-moments")
        self._folder = field.folder / f"{scenario.seed}-{scenario.number}"
        self._folder.mkdir()
        self._disk: Path | None = None
        self._worklog = self._folder / "work.log"
        self._outcome = Outcome()
        self._starts: list[tuple[int, set[int]]] = []
        """For each driver: length of the work log at its start, and the shards committed by then."""

    def fight(self) -> Outcome:
        """Play the scenario to its end; AssertionError names the promise that broke."""
        started = time.monotonic()
        with self._place() as (url, seen):
            trouble = {"seconds": 0.12, "poison": self._scenario.poison, "log": str(self._worklog)}
            settings = {"placement": self._scenario.placement, "storage": {"format": self._scenario.file_format}}
            self._order = Order(url, settings, trouble)
            self._seen = seen
            driver = self._start()
            share = (COMMITS - 2) / len(self._scenario.disasters)
            for place, name in enumerate(self._scenario.disasters):
                driver = self._strike(name, driver, int((place + self._dice.random()) * share))
            self._finish(driver)
            self._check(seen)
        self._outcome.seconds = time.monotonic() - started
        return self._outcome

    @contextmanager
    def _place(self):
        """Yield the location of the run: a URL for the drivers and a local folder for the checks."""
        name = f"run-{self._scenario.seed}-{self._scenario.number}"
        if self._scenario.store == "s3":
            yield f"s3://{self._field.bucket.name}/{name}", self._field.bucket / name
        elif "full disk" in self._scenario.disasters:
            disk = self._folder / "disk"
            disk.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", disk], check=True)
            self._disk = disk
            try:
                yield str(disk / name), disk / name
            finally:
                subprocess.run(["umount", "-l", disk], check=True)
        else:
            yield str(self._folder / name), self._folder / name

    def _start(self) -> Driver:
        self._outcome.drivers += 1
        begun = len(self._worklog.read_text().splitlines()) if self._worklog.exists() else 0
        self._starts.append((begun, self._committed_shards()))
        log = self._folder / f"driver-{self._outcome.drivers}.log"
        return Driver(self._order, self._field.raylets.address, self._field.environment, log)

    def _strike(self, name: str, driver: Driver, moment: int) -> Driver:
        strike: dict[str, Callable[[Driver], Driver]] = {
            "kill driver": self._kill_driver,
            "terminate driver": self._terminate_driver,
            "kill workers": self._kill_workers,
            "kill node": self._kill_node,
            "kill head": self._kill_head,
            "freeze driver": self._freeze_driver,
            "two drivers": self._two_drivers,
            "full disk": self._full_disk,
            "storage faults": self._storage_faults,
        }
        if name not in strike:
            return driver
        # A complete run cannot be damaged; injected disasters are counted, so that a suite without any is noticed.
        if not self._wait_for_commits(driver, moment):
            return driver
        self._outcome.struck.append(name)
        return strike[name](driver)

    def _wait_for_commits(self, driver: Driver, wanted: int) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while self._commits() < wanted or not (self._seen / "run.json").exists():
            if driver.ended():
                return False
            assert time.monotonic() < deadline, f"no progress: {driver.words()}"
            time.sleep(0.03)
        return not driver.ended()

    def _commits(self) -> int:
        with suppress(FileNotFoundError):
            return sum(1 for path in (self._seen / "commits").iterdir() if path.suffix == ".json")
        return 0

    def _committed_shards(self) -> set[int]:
        return {int(path.stem.split("-")[1]) for path in (self._seen / "commits").glob("shard-*.json")}

    def _kill_driver(self, driver: Driver) -> Driver:
        driver.kill()
        return self._start()

    def _terminate_driver(self, driver: Driver) -> Driver:
        driver.send(signal.SIGTERM)
        code = driver.wait(PATIENCE_S)
        if code == -signal.SIGTERM:
            # Before it has installed its own handler, or after it has printed its result and is exiting.
            words = driver.words()
            assert not words or '"digest":' in words, f"a driver that had begun must end in a sentence: {words}"
        else:
            assert code in (143, 0), f"SIGTERM ended the driver with {code}: {driver.words()}"
            assert code == 0 or "run the same command again" in driver.words()
        return self._start()

    def _kill_workers(self, driver: Driver) -> Driver:
        deadline = time.monotonic() + 20
        while not driver.ended() and time.monotonic() < deadline:
            if kill_some(self._field.raylets.workers(), self._dice):
                break
            time.sleep(0.05)
        return driver

    def _kill_node(self, driver: Driver) -> Driver:
        self._field.raylets.replace_node(self._dice.choice(("a", "b")))
        return driver

    def _kill_head(self, driver: Driver) -> Driver:
        self._field.raylets.replace_head()
        # It would take Ray a minute to give up on the head.
        driver.kill()
        return self._start()

    def _freeze_driver(self, driver: Driver) -> Driver:
        """Stop the owner, let another driver take over and finish, resume the owner: it must change nothing."""
        driver.send(signal.SIGSTOP)
        heir = self._start()
        code = heir.wait(PATIENCE_S)
        assert code == 0, f"the heir ended with {code}: {heir.words()}"
        before = self._commit_bytes()
        driver.send(signal.SIGCONT)
        code = driver.wait(PATIENCE_S)
        assert code in (RunHeld.exit_code, 0), f"the zombie ended with {code}: {driver.words()}"
        assert self._commit_bytes() == before, "the zombie changed a commit"
        return self._start()

    def _two_drivers(self, driver: Driver) -> Driver:
        second = self._start()
        code = second.wait(PATIENCE_S)
        if code == RunHeld.exit_code:
            assert "held by" in second.words(), second.words()
        else:
            assert code == 0, f"the second driver ended with {code}: {second.words()}"
        return driver

    def _full_disk(self, driver: Driver) -> Driver:
        assert self._disk is not None
        ballast = self._disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 2**20):
                pass
        code = driver.wait(PATIENCE_S)
        assert code in (StorageRefused.exit_code, 0), f"a full disk ended the driver with {code}: {driver.words()}"
        assert code == 0 or "full" in driver.words() or "space" in driver.words(), driver.words()
        ballast.unlink()
        return self._start()

    def _storage_faults(self, driver: Driver) -> Driver:
        self._field.proxy.rate = 0.15
        return driver

    def _commit_bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self._seen / "commits").iterdir()}

    def _finish(self, driver: Driver) -> None:
        """Submit the same command until it succeeds, as a user would."""
        code = driver.wait(PATIENCE_S)
        while code != 0:
            retryable = (StorageUnavailable.exit_code, RunHeld.exit_code, -signal.SIGKILL, -signal.SIGABRT)
            assert code in retryable, f"exit {code}: {driver.words()}"
            assert self._outcome.drivers < STARTS, f"no end after {STARTS} drivers: {driver.words()}"
            driver = self._start()
            code = driver.wait(PATIENCE_S)
        self._field.proxy.rate = 0.0

    def _check(self, seen: Path) -> None:
        wanted = expected(self._scenario.poison, str(self._field.folder))
        summary = json.loads((seen / "dataset.json").read_text())
        assert summary["planned"] == summary["accepted"] + sum(summary["rejected"].values()) + summary["dead"]
        assert summary["samples_planned"] == summary["samples"] + summary["samples_dead"] == 192
        assert summary == {**wanted.model_dump(), "rejected": summary["rejected"]}, (summary, wanted)
        found = verify_run(Storage(str(seen)))
        assert not found.problems, found.problems
        assert not found.notes, found.notes
        assert found.summary == wanted.model_copy(update={"rejected": found.summary.rejected})
        self._check_recomputation()

    def _check_recomputation(self) -> None:
        """Check that a driver does not repeat shards committed before its start, except units in progress then."""
        lines = self._worklog.read_text().splitlines()
        runs = Counter(line for line in lines if " samples " in line)
        self._outcome.recomputed = sum(count - 1 for count in runs.values())
        # Workers of a killed driver may go on for a moment, and a worker may die between its commit and its last mark.
        stragglers = 2 * self._scenario.placement["workers"]
        for begun, committed in self._starts:
            again = [line for line in lines[begun:] if " samples " in line and int(line.split()[2]) in committed]
            assert len(again) <= stragglers, f"committed shards were made again: {again}"
