"""Generations of a run: another recipe in the same folder, never mixed with the one before.

The root is the first generation. A later one is a complete run folder of its own below it, `generation-000002/`, and
exists once its `run.json` does; the newest is the run. Older ones stay as they are until somebody deletes them.
"""

import re

from synfiqa.cluster.storage.storage import Storage

_FOLDER = re.compile(r"generation-(\d{6})")


def current(url: str, retry_budget_s: float = 300.0) -> Storage:
    """Return the newest generation of the run at `url`; the root when there is no other."""
    root = Storage(url, retry_budget_s)
    numbers = sorted((int(match[1]) for name in root.entries() if (match := _FOLDER.fullmatch(name))), reverse=True)
    for number in numbers:
        generation = _generation(root, number)
        if generation.exists("run.json"):
            return generation
    return root


def following(storage: Storage) -> Storage:
    """Return the folder of the generation after this one; it is empty until a run is opened there."""
    base, _, name = storage.url.rpartition("/")
    match = _FOLDER.fullmatch(name)
    if match is None:
        return _generation(storage, 2)
    return _generation(Storage(base, storage.retry_budget_s), int(match[1]) + 1)


def number_of(storage: Storage) -> int:
    """Return which generation a folder is; the root is 1."""
    match = _FOLDER.fullmatch(storage.url.rpartition("/")[2])
    return int(match[1]) if match else 1


def _generation(root: Storage, number: int) -> Storage:
    return Storage(f"{root.url}/generation-{number:06d}", root.retry_budget_s)
