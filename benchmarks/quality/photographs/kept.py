"""Faces, ladders and vectors that do not depend on the scorers, kept in a folder for a next call."""

import hashlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np


def kept[T](folder: Path | None, what: str, kind: type[T], make: Callable[[], T]) -> T:
    """Return what `make` returns, a dataclass of arrays and numbers, from the file of its name where there is one.

    `what` says all that it depends on but the code: after a change of detection, alignment or faults the folder must be
    another one. The file appears whole or not at all.
    """
    if folder is None:
        return make()
    path = folder / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"
    if not path.exists():
        made = make()
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **{field.name: getattr(made, field.name) for field in fields(kind)})  # type: ignore[arg-type]
        partial.rename(path)
        return made
    with np.load(path, allow_pickle=False) as stored:
        return kind(**{name: _plain(stored[name]) for name in stored.files})


def _plain(value: np.ndarray) -> Any:
    return value.item() if value.ndim == 0 else value
