"""A cluster of three raylets on this machine that join, drain, die and differ, each as if on a machine of its own."""

import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.stub_stages import BROKEN, NODE
from tests.cluster.ray_cluster.free_ports import add_node, start_cluster

START_TRIES = 4
POOLS = ("a", "b")
OTHER_LIBRARY, OTHER_VERSION = "pillow", "0.0.1"
"""What a node with other libraries reports."""


class Raylets:
    """Head, and two nodes with a simulated GPU each, labelled pool=a and pool=b; more of them join and leave."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._nodes: dict[str, Any] = {}
        self._pool: dict[str, str] = {}
        self._bad: set[str] = set()
        self._started = 0
        self._machines = Path(tempfile.mkdtemp(prefix="synfiqa-machines-"))

    def start(self) -> None:
        """Start all three, one after the other; a busy machine may need a second try."""
        environment = self._machine("head")
        self._cluster = start_cluster(num_cpus=2, object_store_memory=2**28, env_vars=environment)
        for pool in POOLS:
            self.join(pool)

    def stop(self) -> None:
        """End all of them, ignoring errors."""
        with suppress(Exception):
            self._cluster.shutdown()
        shutil.rmtree(self._machines, ignore_errors=True)
        self._cluster = None
        self._nodes.clear()
        self._pool.clear()
        self._bad.clear()

    @property
    def address(self) -> str:
        """Address of the cluster, the RAY_ADDRESS of drivers."""
        return self._cluster.address

    def join(self, pool: str, environment: dict[str, str] | None = None, *, bad: bool = False) -> str:
        """Start a raylet with a GPU and the label of a pool, and return its name; no run can go on with a `bad` one."""
        self._started += 1
        name = f"{pool}{self._started}"
        variables = {**self._machine(name), **(environment or {})}
        # Also what a raylet of the same label leaves behind is found by its name alone.
        self._nodes[name] = _again(
            lambda: add_node(
                self._cluster,
                num_cpus=2,
                num_gpus=1,
                labels={"pool": pool},
                object_store_memory=2**28,
                env_vars=variables,
            )
        )
        self._pool[name] = pool
        if bad:
            self._bad.add(name)
        return name

    def join_broken(self) -> str:
        """Start a raylet on which no stage can be set up, and return its name."""
        return self.join("c", {BROKEN: "1"}, bad=True)

    def join_with_other_libraries(self) -> str:
        """Start a raylet whose Python finds another version of a library, and return its name."""
        site = self._machines / f"site-{self._started}"
        record = site / f"{OTHER_LIBRARY}-{OTHER_VERSION}.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OTHER_LIBRARY}\nVersion: {OTHER_VERSION}\n")
        assert version(OTHER_LIBRARY) != OTHER_VERSION
        path = os.pathsep.join((str(site), os.environ.get("PYTHONPATH", "")))
        return self.join("c", {"PYTHONPATH": path.rstrip(os.pathsep)}, bad=True)

    def victim(self, dice: random.Random) -> str:
        """Return the name of a node that may be lost: another good one with a GPU is there, or joins first."""
        good = sorted(self._nodes.keys() - self._bad)
        if len(good) < 2:
            self.join("a")
        return dice.choice(good)

    def drain(self, name: str, deadline_s: float) -> None:
        """Give a node notice, as a cloud does before it takes a spot machine away."""
        give_notice(self.address, self._nodes[name].node_id, deadline_s)

    def kill(self, name: str) -> None:
        """SIGKILL the raylet of a node, and nothing else; its workers and agents find out."""
        for raylet in self._nodes[name].all_processes.get("raylet", []):
            with suppress(ProcessLookupError):
                os.kill(raylet.process.pid, signal.SIGKILL)
        self._remove(name)

    def replace(self, name: str) -> None:
        """Kill a raylet with everything on it, and start an empty one with its label."""
        pool = self._pool[name]
        self._remove(name)
        self.join(pool)

    def replace_head(self) -> None:
        """Kill the head, which ends the cluster and every driver on it, and start another cluster."""
        self.stop()
        self.start()

    def restore(self) -> None:
        """Have one good node of each pool again, and no other."""
        for name in list(self._nodes):
            if self._pool[name] not in POOLS or list(self._pool.values()).count(self._pool[name]) > 1:
                self._remove(name)
        for pool in POOLS:
            if pool not in self._pool.values():
                self.join(pool)

    def workers(self) -> list[psutil.Process]:
        """Return the processes in which stages run."""
        found = []
        for node in [self._cluster.head_node, *self._nodes.values()]:
            for raylet in node.all_processes.get("raylet", []):
                with suppress(psutil.NoSuchProcess):
                    children = psutil.Process(raylet.process.pid).children(recursive=True)
                    found += [child for child in children if "MapWorker" in " ".join(_command(child))]
        return found

    def _machine(self, name: str) -> dict[str, str]:
        """Return the variables of a machine: its name, and a temporary folder of its own, where set-ups are noted."""
        folder = self._machines / name
        folder.mkdir(parents=True, exist_ok=True)
        return {NODE: name, "TMPDIR": str(folder)}

    def _remove(self, name: str) -> None:
        node = self._nodes.pop(name)
        del self._pool[name]
        self._bad.discard(name)
        self._cluster.remove_node(node, allow_graceful=False)


def give_notice(address: str, node_id: str, deadline_s: float) -> None:
    """Tell a cluster that a node is taken away after so many seconds, as the notice of a spot machine does."""
    from ray._raylet import GcsClient
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    accepted, why = GcsClient(address=address).drain_node(
        node_id,
        DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION,
        "the spot machine is taken away",
        time.time_ns() // 10**6 + int(deadline_s * 1000),
    )
    assert accepted, f"the notice was refused: {why}"


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
