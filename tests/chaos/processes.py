"""Processes under test: the drivers of jobs, and workers that are killed."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import psutil

from tests.chaos.driver import Order

ROOT = Path(__file__).parents[2]


class Driver:
    """Driver process whose output goes to a file."""

    def __init__(self, order: Order, address: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._file = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.driver", json.dumps(asdict(order))],
            cwd=ROOT,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, "RAY_ADDRESS": address},
            # In an orphaned process group (a suite under nohup) the kernel wakes stopped members whenever one exits.
            start_new_session=True,
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self.send(signal.SIGKILL)
        self.process.wait()
        self._file.close()

    def wait(self, timeout: float) -> int:
        """Return its exit code; AssertionError with the end of its output when it does not end."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the driver did not end within {timeout:g} s: {self.words()}") from None
        self._file.close()
        return code

    def ended(self) -> bool:
        """Return whether it has ended."""
        return self.process.poll() is not None

    def words(self) -> str:
        """Return the end of its output."""
        return self.said()[-1500:]

    def said(self) -> str:
        """Return all of its output."""
        return self.log.read_text(errors="replace")


def kill_some(processes: list[psutil.Process], dice: random.Random) -> int:
    """SIGKILL one or two of the processes and return how many."""
    chosen = dice.sample(processes, min(len(processes), dice.randint(1, 2)))
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return len(chosen)
