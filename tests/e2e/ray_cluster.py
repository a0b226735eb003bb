"""A Ray cluster of three raylets made the way an operator makes it: `ray start`, with a dashboard that takes jobs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.ray_cluster.free_ports import FLAGS, free_port

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
TRIES = 3


@contextmanager
def cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what `ray job submit` takes as address; nodes are labelled pool=a and pool=b, a pretended GPU each."""
    env = {**os.environ, **environment, "RAY_AUTH_MODE": "disabled", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    env.pop("RAY_ADDRESS", None)
    nodes: list[subprocess.Popen] = []
    port, dashboard = free_port(), free_port()
    head = [
        *("--head", f"--port={port}", f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1"),
        # Ray puts its sockets here, whose names must stay short.
        *("--num-cpus=2", "--num-gpus=0", f"--temp-dir=/tmp/ray-{port}", f"--ray-client-server-port={free_port()}"),
    ]
    try:
        nodes.append(_start(head, env, folder / "head.log"))
        _until_answering(dashboard)
        for pool in ("a", "b"):
            # A folder each, as on machines of their own: else every node removes and unpacks the job's working
            # directory in the one that the driver is reading from.
            own = [f"--temp-dir=/tmp/ray-{port}-{pool}", f"--labels=pool={pool}"]
            node = [f"--address=127.0.0.1:{port}", "--num-cpus=2", "--num-gpus=1", *own]
            nodes.append(_start(node, env, folder / f"{pool}.log"))
        yield f"http://127.0.0.1:{dashboard}"
    finally:
        for node in reversed(nodes):
            node.terminate()
        for node in nodes:
            with suppress(subprocess.TimeoutExpired):
                node.wait(40)
            node.kill()


def _start(arguments: list[str], env: Mapping[str, str], log: Path) -> subprocess.Popen:
    # Ray gives a raylet 30 s to start, which a busy machine may miss.
    arguments = [*FLAGS, *arguments]
    for _ in range(TRIES):
        with log.open("wb") as file:
            process = subprocess.Popen(
                [
                    *RAY,
                    "start",
                    "--block",
                    "--disable-usage-stats",
                    "--object-store-memory=200000000",
                    *FLAGS,
                    *arguments,
                ],
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            if b"Ray runtime started" in log.read_bytes():
                return process
            time.sleep(0.2)
        process.kill()
        process.wait()
    raise RuntimeError(f"ray start {' '.join(arguments)} failed: {log.read_text()[-800:]}")


def _until_answering(port: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise RuntimeError("the dashboard does not answer")
