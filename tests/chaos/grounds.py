"""Sets up a battlefield: rclone behind a fault proxy, then a cluster configured to use it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.battle import Battlefield
from tests.chaos.raylets import Raylets
from tests.stores import servers
from tests.stores.fault_proxy import FaultProxy

STALL_S = 4.0


@contextmanager
def battlefield(folder: Path) -> Iterator[Battlefield]:
    """Yield a battlefield; everything it started ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "store"
    (store / "bucket").mkdir(parents=True, exist_ok=True)
    raylets = Raylets()
    with servers.rclone(store) as server, FaultProxy(server.address, stall_s=STALL_S) as proxy:
        # Nodes have their credentials from their own environment, as in production.
        environment = {**server.at(proxy.endpoint).environment, "RAY_AUTH_MODE": "disabled"}
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            raylets.start()
            yield Battlefield(raylets, folder, store / "bucket", proxy, environment)
        finally:
            raylets.stop()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
