"""A head without CPUs on this machine, and raylets in place of cloud machines, which Ray's autoscaler starts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

from tests.chaos.stub_stages import MACHINE
from tests.cluster.ray_cluster.free_ports import FLAGS, free_port

PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
"""Named as an external one, since Ray's wheel lacks the defaults of its own name for it."""
STORE_BYTES = 2**27
START_S, END_S = 120.0, 20.0


class FakeCloud:
    """A cluster at `address` that the autoscaler grows by the node types of a `ray up` file, from none."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self._process = process
        self.address = address

    def machines(self) -> dict[str, psutil.Process]:
        """Return the raylets that the autoscaler has started and that run, by the name of their machine."""
        found = {}
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if process.name() == "raylet" and process.status() != psutil.STATUS_ZOMBIE:
                    found[process.environ()[MACHINE]] = process
        found.pop(FAKE_HEAD_NODE_ID, None)
        return found

    def nodes(self) -> dict[str, dict[str, str]]:
        """Return the labels of the nodes that the cluster knows and that live, by the name of their machine."""
        with _state(self.address) as state:
            nodes = state.node_table()
        return {
            node["NodeID"]: node["Labels"] for node in nodes if node["Alive"] and node["NodeID"] != FAKE_HEAD_NODE_ID
        }


@contextmanager
def fake_cloud(node_types: dict[str, Any], head_type: str, folder: Path) -> Iterator[FakeCloud]:
    """Yield a cluster whose node types are those of a `ray up` file but for the cloud's own fields."""
    address = f"127.0.0.1:{free_port()}"
    # The paths of Ray's sockets have to be short.
    scratch = tempfile.mkdtemp(prefix="ray-")
    config = folder / "autoscaler.json"
    config.write_text(json.dumps(_autoscaler_config(node_types, head_type, address)))
    with (folder / "head.log").open("wb") as log:
        process = subprocess.Popen(
            _command(address, config, scratch),
            env={**os.environ, **_environment()},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_head(address, process, folder / "head.log")
        yield FakeCloud(process, address)
    finally:
        _end(process)
        shutil.rmtree(scratch, ignore_errors=True)


def _command(address: str, config: Path, scratch: str) -> list[str]:
    options = {
        "num-cpus": 0,
        "num-gpus": 0,
        "include-dashboard": "false",
        "node-ip-address": "127.0.0.1",
        "port": address.rpartition(":")[2],
        "ray-client-server-port": free_port(),
        "autoscaling-config": config,
        "object-store-memory": STORE_BYTES,
        "temp-dir": scratch,
    }
    ray = str(Path(sys.executable).parent / "ray")
    return [ray, "start", "--head", "--block", *(f"--{name}={value}" for name, value in options.items()), *FLAGS]


def _autoscaler_config(node_types: dict[str, Any], head_type: str, address: str) -> dict[str, Any]:
    types = {
        name: {
            **kind,
            "node_config": {},
            "resources": kind["resources"] | ({} if name == head_type else {"object_store_memory": STORE_BYTES}),
        }
        for name, kind in node_types.items()
    }
    # The provider gives the head's machine this type, whatever the file calls it.
    types["ray.head.default"] = types.pop(head_type)
    return {
        "cluster_name": "fake",
        "max_workers": sum(kind["max_workers"] for kind in types.values()),
        "idle_timeout_minutes": 5,
        "provider": {
            "type": "external",
            "module": PROVIDER,
            "gcs_address": address,
            "launch_multiple": True,
            "head_node_id": FAKE_HEAD_NODE_ID,
            "disable_node_updaters": True,
        },
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        **{f"{of}setup_commands": [] for of in ("", "head_", "worker_")},
        "cluster_synced_files": [],
    }


def _environment() -> dict[str, str]:
    return {
        "RAY_AUTH_MODE": "disabled",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
        MACHINE: FAKE_HEAD_NODE_ID,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "AUTOSCALER_METRIC_PORT": str(free_port()),
        # Nothing is there to be handed over when the block ends.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }


def _await_head(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the head is a node of its cluster."""
    deadline = time.monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()
        with suppress(Exception), _state(address) as state:
            if any(node["Alive"] for node in state.node_table()):
                return
        assert time.monotonic() < deadline, f"no head after {START_S:g} s: {log.read_text()}"
        time.sleep(0.5)


@contextmanager
def _state(address: str) -> Iterator[Any]:
    """Yield a look at a cluster that this process has not joined."""
    from ray._private.state import GlobalState
    from ray._raylet import GcsClientOptions

    state = GlobalState()
    state._initialize_global_state(
        GcsClientOptions.create(address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    )
    try:
        yield state
    finally:
        state.disconnect()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the head and all that came from it: the raylets of the machines are children of the autoscaler."""
    family = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    if process.poll() is None:
        process.kill()
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, END_S)
    process.wait()
