"""Device of the worker process."""

from functools import cache


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
