"""Runs a torch network in constant micro-batches, so that outputs do not depend on the number of images."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.model_store.execution import Execution

COMPILED = {"dynamic": False, "options": {"deterministic": True}}
"""How networks are compiled: for the one shape of padded calls, kernels by rule. Kernels chosen by timing
could differ between workers, and round differently (promise 1)."""


class BatchedNetwork:
    """A network in evaluation mode on its device. Short calls are padded to the micro-batch (promise 1)."""

    def __init__(self, module: nn.Module, running: Execution) -> None:
        self.module = module.to(running.device, running.dtype).eval().requires_grad_(False)
        self.running = running

    def __call__(
        self,
        images: np.ndarray,
        prepare: Callable[[np.ndarray], Tensor],
        forward: Callable[[Tensor], Tensor] | None = None,
    ) -> np.ndarray:
        """Return float32 (N, ...) outputs of uint8 images (N, H, W, 3): `forward(prepare(chunk))`, chunk by chunk."""
        size = self.running.call_size
        forward = forward or self.module
        results: list[np.ndarray] = []
        for start in range(0, len(images), size):
            chunk = prepare(images[start : start + size])
            count = len(chunk)
            padded = functional.pad(chunk, (0, 0) * (chunk.ndim - 1) + (0, size - count))
            with torch.inference_mode():
                found = forward(padded.to(self.running.device, self.running.dtype))
            results.append(found[:count].float().cpu().numpy())
        if not results:
            raise ValueError("a network needs at least one image")
        return np.concatenate(results)
