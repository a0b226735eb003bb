"""Test-wide settings: one torch thread, as in the workers; more of them collapse on a shared machine.

Two processes share the tests: one runs those that need Ray, which mostly wait, the other the rest.
"""

import pytest
import torch

from cluster.ray_session import prepare_environment
from tests.stores.fixtures import (
    bucket,
    faulty,
    faulty_moto,
    moto,
    moto_proxy,
    moto_server,
    rclone,
    rclone_proxy,
    rclone_server,
)

__all__ = [
    "bucket",
    "faulty",
    "faulty_moto",
    "moto",
    "moto_proxy",
    "moto_server",
    "rclone",
    "rclone_proxy",
    "rclone_server",
]

prepare_environment()
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have all tests with Ray run first and in one process: clusters at the same time would miss their deadlines."""
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)
    for item in items:
        group = "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
