"""Test-wide settings: one torch thread, as in the workers; more of them collapse on a shared machine."""

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
