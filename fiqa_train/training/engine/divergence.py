"""Losses of the steps of an epoch, and the step at which one was not finite."""

import torch
from torch import Tensor

from synfiqa.schemas.errors import JobFailed

CHECKED_STEPS = 20
"""Steps after which the losses of a GPU are looked at: each look waits for the GPU."""


class LossWatch:
    """Sum of an epoch's losses; stops the training at the first loss that is not finite."""

    def __init__(self, device: torch.device, total: float = 0.0) -> None:
        self._device = device
        self._total = torch.tensor(total, dtype=torch.float64, device=device)
        self._last = torch.zeros((), device=device)
        self._pending: list[tuple[Tensor, str]] = []

    def add(self, loss: Tensor, epoch: int, step: int, steps: int) -> None:
        """Add the loss (scalar) of a step; JobFailed, on a GPU some steps later, when it is not finite."""
        self._total += loss
        self._last = loss
        self._pending.append((loss, f"step {step + 1} of {steps} of epoch {epoch + 1}"))
        if self._device.type == "cpu" or len(self._pending) >= CHECKED_STEPS:
            self.check()

    def check(self) -> None:
        """Raise JobFailed with the first step whose loss was not finite."""
        pending, self._pending = self._pending, []
        if not pending or bool(torch.isfinite(torch.stack([loss for loss, _ in pending])).all()):
            return
        loss, where = next((loss, where) for loss, where in pending if not bool(torch.isfinite(loss)))
        raise JobFailed(
            f"training diverged: the loss is {float(loss):g} in {where}; lower train.learning_rate under another "
            "train.name, the last stored state is kept"
        )

    def recent(self) -> float:
        """Return the loss of the last step."""
        return float(self._last)

    def mean(self, steps: int) -> float:
        """Return the mean over the steps of the epoch."""
        return float(self._total) / steps

    def state(self) -> float:
        """Return the sum of the epoch so far."""
        return float(self._total)

    def restart(self) -> None:
        """Begin the next epoch."""
        self._total = torch.zeros_like(self._total)
