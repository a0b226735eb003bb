"""The training loop of the bundled networks: AdamW under a one-cycle learning rate, with a line for every epoch."""

import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from synfiqa.cluster.telemetry.log_lines import emit


def train_one_cycle(
    parameters: Iterable[Tensor],
    losses: Callable[[int], Iterable[Tensor]],
    *,
    epochs: int,
    steps: int,
    rate: float,
    weight_decay: float,
    rise: float,
) -> None:
    """Take a step down every loss that `losses(epoch)` yields, `steps` an epoch; losses are computed one by one.

    `rate` is the largest learning rate, reached after a share `rise` of all steps.
    """
    optimiser = torch.optim.AdamW(parameters, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps * epochs, pct_start=rise, cycle_momentum=False
    )
    for epoch in range(epochs):
        started, total = time.process_time(), 0.0
        for loss in losses(epoch):
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        seconds = time.process_time() - started
        line = f"epoch {epoch + 1}/{epochs}  loss {total / steps:.3f}  {seconds:.0f} CPU s"
        emit(line, text=line)
