"""Test-wide settings: one torch thread, as in the workers; more of them collapse on a shared machine.

Three processes share the tests: two run those that need Ray, which mostly wait, one begins with the rest.
"""

from functools import cache
from pathlib import Path

import pytest
import torch
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from synfiqa.cluster.pipeline.ray_session import prepare_environment
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

ROOT = Path(__file__).parents[1]

prepare_environment()
torch.set_num_threads(1)


@cache
def needs_ray(path: str) -> bool:
    """Whether tests of a file, relative to the repository, start Ray."""
    return "pytest.mark.ray" in (ROOT / path).read_text(encoding="utf-8")


class RayInTwoProcesses(LoadScopeScheduling):
    """Sends a test file to one process, and files with Ray to two: more clusters at a time miss their deadlines."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if not needs_ray(path):
            return path
        # Both take about as long.
        return "ray, whole jobs" if path.startswith(("tests/chaos/", "tests/e2e/")) else "ray, parts"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> RayInTwoProcesses:
    """Let xdist send tests by the rule above."""
    return RayInTwoProcesses(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the files with Ray begin, for they take longest."""
    items.sort(key=lambda item: not needs_ray(item.nodeid.partition("::")[0]))
