"""A cluster of raylets on this machine whose CPUs are bookkeeping, so that stages that sleep fill many of them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.speed.peers.scenarios import NODE_CPUS

STORE = 300_000_000
"""Bytes of the object store of a raylet."""
TRIES = 3


class Raylets:
    """A head that works too, because cosmos-xenna runs a task on every node, and raylets that are added one by one."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        # cosmos-xenna reads the state of the cluster through the dashboard.
        head = {"num_cpus": NODE_CPUS, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": STORE}
        self._cluster = _again(lambda: Cluster(initialize_head=True, connect=False, head_node_args=head))

    @property
    def address(self) -> str:
        """Address of the cluster, the RAY_ADDRESS of drivers."""
        return str(self._cluster.address)

    def add(self) -> None:
        """Start one more raylet."""
        _again(lambda: self._cluster.add_node(num_cpus=NODE_CPUS, object_store_memory=STORE, wait=True))

    def end(self) -> None:
        """End all of them."""
        self._cluster.shutdown()


@contextmanager
def raylets(nodes: int) -> Iterator[Raylets]:
    """Have a cluster of so many raylets, whose workers import what this process imports, inside the block."""
    # Workers are started with the project's interpreter, which lacks the packages of `--with`.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    # As cosmos-xenna sets them where it starts the cluster itself.
    os.environ["RAY_MAX_LIMIT_FROM_API_SERVER"] = os.environ["RAY_MAX_LIMIT_FROM_DATA_SOURCE"] = "40000"
    cluster = Raylets()
    try:
        for _ in range(nodes - 1):
            cluster.add()
        yield cluster
    finally:
        cluster.end()


def _again(start: Any) -> Any:
    # Ray gives a raylet 30 s to start, which a busy machine may miss.
    for attempt in range(1, TRIES + 1):
        try:
            return start()
        except Exception:
            if attempt == TRIES:
                raise
    raise AssertionError
