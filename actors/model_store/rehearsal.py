"""Writes shape-exact random weights for a card into a folder, so that a pipeline can be rehearsed without downloads."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from synfiqa.actors.model_store.architectures.table import ARCHITECTURES, load
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.loading import build_network
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

DONE = ".whole"
"""Name of the file that marks a complete rehearsal folder; it holds the digest of the weights."""


def write_rehearsal(card: ModelCard, folder: Path, seed: int) -> Path:
    """Return the weights file or folder, written if it is not whole yet; UserError for an architecture without one."""
    architecture = ARCHITECTURES[card.architecture]
    if not (architecture.rehearsal or architecture.network):
        raise UserError(f"model '{card.name}': {card.architecture} has no random weights; name a real source")
    target = folder / ("weights" if architecture.rehearsal else "weights.safetensors")
    if not ((folder / DONE).exists() and target.exists()):
        if architecture.rehearsal:
            target.mkdir(exist_ok=True)
            load(architecture.rehearsal)(card, target, seed)
        else:
            with torch.device("meta"):
                skeleton = build_network(card)
            partial = folder / f"weights.{os.getpid()}.part"
            save_file(_adjusted(architecture.network, random_state(skeleton, seed, architecture.gain)), partial)
            partial.replace(target)
        (folder / DONE).write_text(weights_digest(target), encoding="ascii")
    return target


def _adjusted(network: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Apply the network's `rehearse`, where a pipeline could not run on purely random weights."""
    adjust = getattr(load(network), "rehearse", None)
    if adjust is not None:
        adjust(state)
    return state


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
