"""GPU and CPU threads of this process."""

import os
from functools import cache

SPIN_VARIABLE = "GOMP_SPINCOUNT"
"""Variable of GNU OpenMP, read when torch is loaded: rounds for which an idle thread spins before it sleeps."""
MOST_THREADS = 8
"""Threads beyond which networks as small as the bundled ones gain nothing."""


@cache
def worker_device() -> str:
    """Return the device of this process: the GPU that Ray pinned it to, else the CPU (Ray hides all other GPUs)."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    # No TF32, and no choice of kernels by timing: equal inputs must give equal bits (promise 1).
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    return "cuda"


def wait_without_spinning() -> None:
    """Have idle threads sleep; call before torch is loaded, a value in the environment is kept.

    Two threads that spin gain 1.7 x on idle cores and lose 8 x on busy ones; two that sleep lose nothing.
    """
    os.environ.setdefault(SPIN_VARIABLE, "0")


def use_cores() -> int:
    """Give torch the cores of this process and return how many; one where idle threads would spin."""
    import torch

    sleeps = os.environ.get(SPIN_VARIABLE) == "0"
    count = min(MOST_THREADS, len(os.sched_getaffinity(0))) if sleeps else 1
    torch.set_num_threads(count)
    return count
