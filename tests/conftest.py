"""Test-wide settings: one torch thread, as in the workers; more of them collapse on a shared machine.

Two processes share the tests: one runs those that need Ray, which mostly wait, the other the rest.
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


class RayInOneProcess(LoadScopeScheduling):
    """Sends a test file to one process, and all files with Ray to the same: clusters at a time miss their deadlines."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "ray" if needs_ray(path) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> RayInOneProcess:
    """Let xdist send tests by the rule above."""
    return RayInOneProcess(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the files with Ray begin, for they take longest."""
    items.sort(key=lambda item: not needs_ray(item.nodeid.partition("::")[0]))
