"""Shape-exact random weights: right keys, shapes and types, values from a counter-based generator of numpy."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn


def random_state(module: nn.Module, seed: int, gain: float = 0.5) -> dict[str, Tensor]:
    """Return a state dict for the network, the same on every machine; the module may live on the meta device."""
    return random_tensors(
        {key: (tuple(value.shape), value.dtype) for key, value in module.state_dict().items()}, seed, gain
    )


def random_tensors(
    shapes: Mapping[str, tuple[tuple[int, ...], torch.dtype]], seed: int, gain: float = 0.5
) -> dict[str, Tensor]:
    """Return a tensor for every key: scales and variances near 1, shifts near 0, the rest `gain` x He."""
    return {
        key: _tensor(key, shape, dtype, gain, np.random.Generator(np.random.Philox(key=[seed, index])))
        for index, (key, (shape, dtype)) in enumerate(shapes.items())
    }


def _tensor(key: str, shape: tuple[int, ...], dtype: torch.dtype, gain: float, random: np.random.Generator) -> Tensor:
    if not dtype.is_floating_point:
        # Counters of batch normalisation, position ids.
        steps = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape) if shape else np.zeros(())
        return torch.from_numpy(np.asarray(steps)).to(dtype)
    values = random.random(shape, dtype=np.float32) * np.float32(2) - np.float32(1)
    if len(shape) > 1:
        fan_in = int(np.prod(shape[1:], dtype=np.int64))
        values *= np.float32(gain * np.sqrt(6 / fan_in))
    elif key.endswith(("weight", "running_var")):
        values = np.float32(1) + np.float32(0.1) * values
    else:
        values *= np.float32(0.1)
    # numpy makes arrays of one number of scalars.
    return torch.from_numpy(np.ascontiguousarray(values).reshape(shape)).to(dtype)
