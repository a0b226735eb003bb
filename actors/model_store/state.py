"""Weights from a file into a network: read without running code, rename by declared rules, fit without a remainder."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from synfiqa.actors.model_store.checks.foreign_files import HEAD_BYTES, foreign_content, wrapping
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import StateRules

_SHOWN = 6
"""Keys that an error message lists before it counts the rest."""
_LONGEST_HEADER = 100_000_000
"""Bytes; the safetensors format allows no longer one."""
_FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Types that become float32 by rounding alone; others mean something only together with scales kept elsewhere."""


def read_state(path: Path) -> Mapping[str, Any]:
    """Return what a safetensors or torch file holds: tensors, perhaps inside wrapper dictionaries.

    The content decides which it is, for what comes from a URL may be called anything. Torch files are read by the
    restricted unpickler (`weights_only`). UserError for damaged files and for pickles that would run code.
    """
    if foreign := foreign_content(_head(path, HEAD_BYTES)):
        raise UserError(f"{path} {foreign}")
    if path.suffix == ".safetensors" or _is_safetensors(path):
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} is no whole safetensors file ({_line(error)}): fetch it again") from error
    if path.suffix == ".pb":
        raise UserError(
            f"{path} is no safetensors or torch file, and a frozen graph (.pb) is read for lightqnet alone: correct "
            "architecture on its card, or fetch the file again"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise UserError(
            f"{path} holds Python objects, which could run code, or is damaged ({_line(error)}): save its state dict "
            "as safetensors on a machine that may run it"
        ) from error
    except Exception as error:  # damaged bytes make torch fail in any way that code can
        raise UserError(f"{path} is no whole torch checkpoint ({_line(error)}): fetch it again") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}, not a state dict: save state_dict() of the network")
    return content


def state_dict_of(content: Mapping[str, Any], rules: StateRules) -> dict[str, Tensor]:
    """Return the tensors under the keys of the network, by the rules; everything that is no tensor is left out.

    UserError when two of them would get one key: the weights of two networks, of which neither must win by chance.
    """
    for wrapper in rules.unwrap:
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
    state: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for key, value in ((str(key), value) for key, value in content.items() if isinstance(value, Tensor)):
        if key.startswith(rules.keep):
            renamed = _renamed(key, rules)
            if renamed in state:
                raise UserError(
                    f"the checkpoint holds both {origin[renamed]} and {key}, which the state rules call {renamed}: "
                    "name the network on the card with state: {keep: PREFIX}"
                )
            state[renamed], origin[renamed] = value, key
    return state


def fit_state(module: nn.Module, state: Mapping[str, Tensor], rules: StateRules, source: str) -> None:
    """Load the state into the network; UserError lists every key that is missing, unexpected or of a wrong form.

    What the rules allow to be missing keeps the constructor's value: buffers and counters, never floating-point
    parameters, which would be random and other ones in every process.
    """
    wanted = module.state_dict()
    weights = {name for name, value in module.named_parameters(remove_duplicate=False) if value.is_floating_point()}
    lacking = [key for key in wanted if key not in state]
    missing = [key for key in lacking if not _allowed(key, rules.allow_missing)]
    random = [key for key in lacking if key in weights and _allowed(key, rules.allow_missing)]
    unexpected = [key for key in state if key not in wanted and not _allowed(key, rules.allow_unexpected)]
    shapes = [
        f"{key} {_shape(value)} instead of {_shape(wanted[key])}"
        for key, value in state.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    types = [
        f"{key} {_type(value)} instead of {_type(wanted[key])}"
        for key, value in state.items()
        if key in wanted and wanted[key].is_floating_point() and value.dtype not in _FLOATING
    ]
    complaints = [
        f"{len(found)} {what} ({_some(found)})"
        for what, found in (
            ("keys are missing", missing),
            ("missing weights would be random, which allow_missing cannot allow", random),
            ("are unexpected", unexpected),
            ("have wrong shapes", shapes),
            ("have wrong types", types),
        )
        if found
    ]
    if complaints:
        # A wrapper explains all missing keys at once.
        cause = f"{wrapping(state)}; " if missing and wrapping(state) else ""
        raise UserError(
            f"{source} does not fit its architecture: {cause}{'; '.join(complaints)}. Correct architecture, arguments "
            "or the state rules on its card, or name the right file"
        )
    module.load_state_dict({key: value for key, value in state.items() if key in wanted}, strict=False)


def require_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Raise UserError naming the tensors that hold NaN or infinity: every output of such a network would be NaN."""
    broken = [key for key, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise UserError(
            f"the weights of {source} hold NaN or infinity ({_some(broken)}): fetch them again, or train another model"
        )


def _is_safetensors(path: Path) -> bool:
    """Return whether the file begins with the length of a header in eight bytes, then a JSON object."""
    start = _head(path, 9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= _LONGEST_HEADER


def _head(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(length)
    except OSError:
        return b""  # the reader that is tried next raises the cause


def _renamed(key: str, rules: StateRules) -> str:
    key = key.removeprefix(rules.keep)
    for prefix in rules.strip:
        key = key.removeprefix(prefix)
    for pattern, replacement in rules.rename:
        key = re.sub(pattern, replacement, key)
    return key


def _allowed(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _some(found: list[str]) -> str:
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "scalar"


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
