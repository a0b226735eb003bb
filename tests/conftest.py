"""Test-wide settings: one torch thread, as in the workers; more of them collapse on a shared machine."""

import os

import torch

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
torch.set_num_threads(1)
