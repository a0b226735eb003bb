"""Clusters of tests take free ports: another Ray on this machine costs them nothing."""

import socket
import time
from contextlib import suppress

import pytest
from ray._private import services

from synfiqa.cluster.pipeline.ray_session import prepare_environment
from tests.cluster.ray_cluster.free_ports import add_node, start_cluster

DEFAULT = 52365


@pytest.fixture
def held():
    """Keep Ray's default port of the dashboard agent busy, if no other Ray does."""
    with socket.socket() as taken:
        with suppress(OSError):
            taken.bind(("", DEFAULT))
            taken.listen()
        yield


@pytest.mark.ray
def test_a_cluster_starts_while_another_has_the_default_port(held):
    """The agent of the head could not listen, and jobs that were handed in got HTTP 500: a test failed at random."""
    prepare_environment()
    cluster = start_cluster(num_cpus=1)
    try:
        for node in (cluster.head_node, add_node(cluster, num_cpus=0)):
            port = services.get_node(cluster.address, node.node_id)["dashboard_agent_listen_port"]
            assert port not in (-1, 0, DEFAULT)
            _connect(node.node_ip_address, port)
    finally:
        cluster.shutdown()


def _connect(host, port):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on port {port}"
            time.sleep(0.2)
        else:
            return
