"""Free ports for Ray clusters of tests: another Ray on this machine must not get in their way."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FREE = {
    "dashboard_agent_listen_port": 0,
    "runtime_env_agent_port": 0,
    "metrics_agent_port": 0,
    "metrics_export_port": 0,
    "node_manager_port": 0,
    "object_manager_port": 0,
    "min_worker_port": 0,
    "max_worker_port": 0,
}
"""Ports of a raylet, for `Cluster.add_node`: 0 has each process take a free one itself, so that none is lost between
choice and use. Ray's default is 52365 for the dashboard agent of a head, and for `ray start` ranges elsewhere."""

FLAGS = tuple(f"--{name.replace('metrics_agent', 'dashboard_agent_grpc').replace('_', '-')}=0" for name in FREE)
"""The same ports as options of `ray start`."""

_TRIES = 3


def free_port() -> int:
    """Return the number of a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def head_ports() -> dict[str, int]:
    """Return the ports of a head, for `Cluster(head_node_args=...)`; the dashboard alone has to be told a number."""
    return {**FREE, "dashboard_port": free_port()}


def start_cluster(**head: Any) -> Any:
    """Return a started `Cluster` of one head without dashboard; a busy machine gets several tries."""
    from ray.cluster_utils import Cluster

    for attempt in range(1, _TRIES + 1):
        try:
            return Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **head_ports(), **head})
        # Ray gives a raylet 30 s to start, which a busy machine may miss.
        except Exception:
            if attempt == _TRIES:
                raise
    raise AssertionError


def add_node(cluster: Any, **node: Any) -> Any:
    """Add a raylet on free ports, and return it."""
    return cluster.add_node(**{**FREE, **node})


@contextmanager
def joined(**head: Any) -> Iterator[Any]:
    """Join a cluster of one head inside the block, as `ray.init(address="local")` would but for its fixed port."""
    import ray

    cluster = start_cluster(**head)
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
