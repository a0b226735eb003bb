"""Disasters: each takes a battle and its driver, and returns the driver that goes on."""

from collections.abc import Callable
from typing import Any

from tests.chaos.processes import Driver
from tests.chaos.strikes.drivers import DRIVERS
from tests.chaos.strikes.nodes import NODES
from tests.chaos.strikes.stores import STORES

STRIKES: dict[str, Callable[[Any, Driver], Driver]] = {**DRIVERS, **NODES, **STORES}
"""Disasters by the names of the scenarios; those that are not here are part of the order, or play another job."""
