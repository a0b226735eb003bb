"""What a worker of a training is given: its rank, device and threads, stored states, and ways to report."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import nn


class Session(Protocol):
    """Environment of one worker."""

    rank: int
    world: int
    threads: int
    device: torch.device

    def prepare(self, objective: nn.Module) -> nn.Module:
        """Return the objective on the device, its gradients averaged over all workers."""
        ...

    def restore(self) -> dict[str, Any] | None:
        """Return the newest state that an earlier attempt stored, if there is one."""
        ...

    def report(self, metrics: dict[str, float], state: Callable[[], dict[str, Any]]) -> None:
        """Store `state()` of rank 0 to resume from; called by all ranks after the same step."""
        ...

    def show(self, progress: dict[str, float]) -> None:
        """Show a person how far rank 0 is."""
        ...

    def stops(self) -> bool:
        """Return, equally on all ranks, whether the training is to store its state and end."""
        ...
