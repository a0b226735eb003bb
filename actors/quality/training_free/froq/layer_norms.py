"""Measures the norms of the outputs of a network's sub-modules during one forward pass, without copies of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.quality.training_free.recogniser import Recogniser


def submodules(module: nn.Module) -> dict[str, nn.Module]:
    """Return all sub-modules by dotted name in order of definition, containers included, the root excluded."""
    return {name: child for name, child in module.named_modules() if name}


@contextmanager
def recorded_norms(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Hook modules so that each forward pass leaves S = |flatten(output)|_2, float32 (N,), under the module's name.

    Each output is reduced inside the hook, before a following module may change it in place. A module that runs
    several times leaves the last norm; outputs that are no batch of floating-point numbers leave none.
    """
    norms: dict[str, Tensor] = {}
    handles = [module.register_forward_hook(_hook(name, norms)) for name, module in modules.items()]
    try:
        yield norms
    finally:
        for handle in handles:
            handle.remove()


def layer_norms(
    recogniser: Recogniser, images: np.ndarray, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return norms float64 (N,) of uint8 RGB faces (N, 112, 112, 3) for each module, in order of definition.

    One forward pass a face. Without `names` it is every sub-module that runs; a named one must exist (KeyError).
    """
    every = submodules(recogniser.module)
    chosen = every if names is None else {name: every[name] for name in names}
    found: dict[str, list[np.ndarray]] = {name: [] for name in chosen}
    for inputs, count in recogniser.calls(images):
        with recorded_norms(chosen) as norms, torch.inference_mode():
            recogniser.module(inputs)
        held = [name for name, values in norms.items() if len(values) == len(inputs)]
        if held:
            # One transfer from the device for all modules.
            values = torch.stack([norms[name] for name in held])[:, :count].cpu().double().numpy()
            for name, row in zip(held, values, strict=True):
                found[name].append(row)
    return {name: np.concatenate([*rows, np.empty(0)]) for name, rows in found.items() if rows or not len(images)}


def _hook(name: str, norms: dict[str, Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim >= 2 and output.is_floating_point():
            # Over dimensions instead of a flattened tensor, which would copy channels-last outputs.
            dims = tuple(range(1, output.ndim))
            norms[name] = torch.linalg.vector_norm(output, dim=dims, dtype=torch.float32)

    return record
