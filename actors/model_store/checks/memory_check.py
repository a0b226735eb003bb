"""Refuses weights that do not fit into free memory; an OOM kill leaves no error message."""

import math
import socket
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from synfiqa.actors.model_store.architectures.table import architecture_of
from synfiqa.actors.model_store.card_files import CHECKPOINTS
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

GB = 10**9
LOADED_BYTES = 4
"""Weights are read as float32, whatever their device and precision later."""
_SUFFIXES = (*CHECKPOINTS, ".onnx", ".pkl")
_TWICE = (".bin", ".ckpt")
_MEMORY = Path("/proc/meminfo")
_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def require_room(card: ModelCard, path: Path, running: Execution) -> None:
    """Raise UserError when this node has too little memory left for the weights alone, on the CPU or on the GPU."""
    if path == Path():
        return
    fewer = "fewer workers a node (placement.workers)"
    needs = [("memory", LOADED_BYTES, free_memory(), f"a node with more, or {fewer}")]
    if torch.device(running.device).type == "cuda":
        what, remedy = f"GPU memory in {running.precision}", f"a GPU with more, {fewer}, or models.precision bfloat16"
        needs.append((what, running.dtype.itemsize, torch.cuda.mem_get_info()[0], remedy))
    stored = stored_numbers(path)
    for what, size, free, remedy in needs:
        # Files may hold more than the network takes, such as the state of an optimiser; a closer look costs a second.
        if free is not None and size * stored > free and (needed := size * _taken(card, stored)) > free:
            raise UserError(
                f"model '{card.name}' takes {needed / GB:.1f} GB of {what} for its weights but {socket.gethostname()} "
                f"has {free / GB:.1f} GB left: use {remedy}"
            )


def stored_numbers(path: Path) -> int:
    """Return how many numbers a weights file or folder holds: by headers, or by size where there are none.

    Of a folder with the same weights in two formats the safe one counts, which libraries take.
    """
    if path.is_file():
        return _numbers(path)
    files = [file for file in path.rglob("*") if file.suffix in _SUFFIXES]
    safe = {file.parent for file in files if file.suffix == ".safetensors"}
    return sum(_numbers(file) for file in files if file.suffix not in _TWICE or file.parent not in safe)


def free_memory() -> int | None:
    """Return the bytes that this process can still get, by the machine and by its container; None if unknown."""
    found = [free for limit, used in _CGROUPS if (free := _left(limit, used)) is not None]
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text(encoding="ascii").splitlines())
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):
        pass
    return min(found, default=None)


def _taken(card: ModelCard, stored: int) -> int:
    if not architecture_of(card).network:
        return stored
    with torch.device("meta"):
        return sum(tensor.numel() for tensor in build_network(card).state_dict().values())


def _left(limit: Path, used: Path) -> int | None:
    try:
        # Inactive file pages are reclaimed on demand.
        return max(0, int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii")) + _cached(limit))
    except (OSError, ValueError):
        return None


def _cached(limit: Path) -> int:
    try:
        lines = dict(line.split() for line in (limit.parent / "memory.stat").read_text(encoding="ascii").splitlines())
        return int(lines.get("inactive_file", lines.get("total_inactive_file", 0)))
    except (OSError, ValueError):
        return 0


def _numbers(file: Path) -> int:
    if file.suffix != ".safetensors":
        return file.stat().st_size // LOADED_BYTES
    try:
        with safe_open(file, framework="pt") as content:
            return sum(math.prod(content.get_slice(key).get_shape()) for key in content.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        # Loading it raises the error that names the cause.
        return 0
