"""Processes under test: a cluster of three raylets on this machine, and the drivers of jobs on it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.driver import Order

ROOT = Path(__file__).parents[2]
START_TRIES = 4


class Raylets:
    """Head and two nodes with two simulated GPUs each, labelled pool=a and pool=b."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._nodes: dict[str, Any] = {}

    def start(self) -> None:
        """Start all three, one after the other; a busy machine may need a second try."""
        from ray.cluster_utils import Cluster

        self._cluster = _again(
            lambda: Cluster(
                initialize_head=True,
                connect=False,
                head_node_args={"num_cpus": 2, "include_dashboard": False, "object_store_memory": 2**28},
            )
        )
        for pool in ("a", "b"):
            self._add(pool)

    def stop(self) -> None:
        """End all three, ignoring errors."""
        with suppress(Exception):
            self._cluster.shutdown()
        self._cluster, self._nodes = None, {}

    @property
    def address(self) -> str:
        """Address of the cluster, the RAY_ADDRESS of drivers."""
        return self._cluster.address

    def replace_node(self, pool: str) -> None:
        """Kill a raylet with everything on it, and start an empty one in its place."""
        self._cluster.remove_node(self._nodes.pop(pool), allow_graceful=False)
        self._add(pool)

    def replace_head(self) -> None:
        """Kill the head, which ends the cluster and every driver on it, and start another cluster."""
        self.stop()
        self.start()

    def workers(self) -> list[psutil.Process]:
        """Return the processes in which stages run."""
        found = []
        for node in [self._cluster.head_node, *self._nodes.values()]:
            for raylet in node.all_processes.get("raylet", []):
                with suppress(psutil.NoSuchProcess):
                    children = psutil.Process(raylet.process.pid).children(recursive=True)
                    found += [child for child in children if "MapWorker" in " ".join(_command(child))]
        return found

    def _add(self, pool: str) -> None:
        self._nodes[pool] = _again(
            lambda: self._cluster.add_node(
                num_cpus=2, num_gpus=2, labels={"pool": pool}, object_store_memory=2**28, wait=True
            )
        )


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
        return self.log.read_text(errors="replace")[-1500:]


def kill_some(processes: list[psutil.Process], dice: random.Random) -> int:
    """SIGKILL one or two of the processes and return how many."""
    chosen = dice.sample(processes, min(len(processes), dice.randint(1, 2)))
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return len(chosen)


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return process.cmdline()
    return []


def _again(start: Any) -> Any:
    # Ray gives a raylet 30 s to start, which a busy machine may miss.
    for attempt in range(1, START_TRIES + 1):
        try:
            return start()
        except Exception:
            if attempt == START_TRIES:
                raise
            time.sleep(2)
    return None
