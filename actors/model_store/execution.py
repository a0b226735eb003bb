"""How models run in this process; named by cards and plug-ins, so that it imports no heavy library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synfiqa.cluster.pipeline.micro_batch import call_size
from synfiqa.schemas.config.base import Precision

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Execution:
    """How models run in this process: device, floating-point precision, images per network call."""

    device: str = "cpu"
    precision: Precision = "float32"
    micro_batch: int = 8

    @property
    def call_size(self) -> int:
        """Return how many images a call is padded to: the micro-batch, or less where memory ran out for it."""
        return call_size(self.micro_batch)

    @property
    def dtype(self) -> torch.dtype:
        """Return the torch type of weights and activations."""
        import torch

        dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        return dtypes[self.precision]
