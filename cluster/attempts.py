"""Attempt markers: they tell a unit that kills its process from one that never started.

Ray restarts a dead worker for ever. Each stage therefore leaves a marker before it touches a unit and removes it
after; markers left over by this session are deaths, and a unit with too many of them is dead, not retried.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.storage import Storage


class Attempts:
    """Counts the deaths of units in one driver session."""

    def __init__(self, storage: Storage, session: str) -> None:
        self._storage = storage
        self._folder = f"attempts/{session}"

    def deaths(self, key: str) -> int:
        """Processes that died while they worked on this unit and stage."""
        return len(self._storage.list(f"{self._folder}/{key}"))

    @contextmanager
    def attempt(self, key: str) -> Iterator[None]:
        """Mark the unit as under way; the mark stays only if the process dies."""
        marker = f"{self._folder}/{key}/{uuid.uuid4().hex}"
        self._storage.write(marker, b"")
        try:
            yield
        finally:
            self._storage.delete(marker)

    def clear(self) -> None:
        """Remove what this session left."""
        self._remove(self._folder)
        self._storage.prune(self._folder)

    def sweep(self) -> None:
        """Remove what earlier sessions left; a live one that loses its marks only counts a death less."""
        self._remove("attempts")

    def _remove(self, folder: str) -> None:
        for path in self._storage.list(folder):
            self._storage.delete(path)
