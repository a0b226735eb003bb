"""Generations of a run: run folders with different fingerprints below one URL.

The root is generation 1. A later one is a complete run folder below it, `generation-000002/`, and exists if and only if
its `run.json` does. Jobs use the newest one; older ones stay unchanged.
"""

import re

from synfiqa.cluster.storage.storage import Storage

_FOLDER = re.compile(r"generation-(\d{6})")


def current(url: str, retry_budget_s: float = 300.0) -> Storage:
    """Return the newest generation of the run at `url`, which may be the root."""
    root = Storage(url, retry_budget_s)
    numbers = sorted((int(match[1]) for name in root.entries() if (match := _FOLDER.fullmatch(name))), reverse=True)
    for number in numbers:
        generation = _generation(root, number)
        if generation.exists("run.json"):
            return generation
    return root


def following(storage: Storage) -> Storage:
    """Return the folder of the next generation, which is empty until a run is opened there."""
    base, _, name = storage.url.rpartition("/")
    match = _FOLDER.fullmatch(name)
    if match is None:
        return _generation(storage, 2)
    return _generation(Storage(base, storage.retry_budget_s), int(match[1]) + 1)


def number_of(storage: Storage) -> int:
    """Return the generation number of a folder; the root is 1."""
    match = _FOLDER.fullmatch(storage.url.rpartition("/")[2])
    return int(match[1]) if match else 1


def _generation(root: Storage, number: int) -> Storage:
    return Storage(f"{root.url}/generation-{number:06d}", root.retry_budget_s)
