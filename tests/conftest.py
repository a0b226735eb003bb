"""Test-wide settings: one torch thread, as in the workers; more of them collapse on a shared machine."""

import torch

from cluster.ray_session import prepare_environment

prepare_environment()
torch.set_num_threads(1)
