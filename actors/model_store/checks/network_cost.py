"""Cost of a network in floating-point operations, as its card states it."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def gflop(network: nn.Module, example: torch.Tensor) -> float:
    """Return the 10^9 operations of a network on an example (1, ...) of its input; a multiply-add counts 2."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.eval()(example)
    return float(counter.get_total_flops()) / 1e9
