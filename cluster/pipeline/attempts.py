"""Attempt markers, which count the processes that died on a unit.

Ray restarts a dead worker without limit. Each worker therefore writes a mark before it starts a unit and removes it
after; marks left over in this session are deaths. A unit that has killed its process is made again with marks on each
model call too, which finds the row that is the cause.
"""

import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol

from synfiqa.cluster.run.events import own_log
from synfiqa.cluster.storage.storage import Storage


class Marks(Protocol):
    """Counts deaths by name."""

    def deaths(self, name: str) -> int:
        """Return how many processes died while they worked under this name."""
        ...

    def attempt(self, name: str) -> AbstractContextManager[None]:
        """Mark the name as under way; the mark stays only if the process dies."""
        ...


@dataclass(frozen=True)
class Lost:
    """A process that died: name of its mark, host, process id, and path of its log on that host."""

    mark: str
    host: str
    pid: int
    log: str


class _NoMarks:
    """Marks of a unit without deaths: no writes."""

    def deaths(self, name: str) -> int:
        return 0

    def attempt(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()


NO_MARKS: Marks = _NoMarks()


class Attempts:
    """Deaths in one driver session, by unit; `calls` gives the marks of the model calls inside a unit."""

    def __init__(self, storage: Storage, session: str) -> None:
        self._storage = storage
        self._folder = f"attempts/{session}"

    def open(self) -> None:
        """Write the file by which workers check that they share the folder of the driver."""
        self._storage.write(f"{self._folder}/driver", b"")

    def is_open(self) -> bool:
        """Return whether this process sees the file of the driver."""
        return self._storage.exists(f"{self._folder}/driver")

    def deaths(self, key: str) -> int:
        """Return how many processes died while they worked on this unit."""
        return self.count(f"{key}/unit")

    def unexplained(self, key: str) -> int:
        """Return the deaths on this unit outside every marked model call."""
        return self.deaths(key) - self.count(f"{key}/calls")

    def lost(self, key: str) -> list[Lost]:
        """Return the processes that died while they worked on this unit, as far as their marks are readable."""
        found = []
        for path in self._storage.list(f"{self._folder}/{key}/unit"):
            # Another worker may be removing the mark; and those of an older driver are empty.
            with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                mark = json.loads(self._storage.read(path))
                found.append(Lost(path.rpartition("/")[2], str(mark["host"]), int(mark["pid"]), str(mark["log"])))
        return found

    def attempt(self, key: str) -> AbstractContextManager[None]:
        """Mark the unit as under way; the mark stays only if the process dies."""
        return self._mark(f"{key}/unit")

    def calls(self, key: str) -> Marks:
        """Return the marks of the model calls inside a unit."""
        return _Calls(self, f"{key}/calls")

    def clear(self) -> None:
        """Remove the marks of this session."""
        for path in self._storage.list(self._folder):
            self._storage.delete(path)
        self._storage.prune(self._folder)

    def count(self, name: str) -> int:
        """Return the number of marks under a name of this session."""
        return len(self._storage.list(f"{self._folder}/{name}"))

    @contextmanager
    def _mark(self, name: str) -> Iterator[None]:
        marker = f"{self._folder}/{name}/{uuid.uuid4().hex}"
        self._storage.write(marker, _self_description())
        try:
            yield
        finally:
            self._storage.delete(marker)


def _self_description() -> bytes:
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "log": own_log()}).encode()


class _Calls:
    def __init__(self, attempts: Attempts, folder: str) -> None:
        self._attempts = attempts
        self._folder = folder

    def deaths(self, name: str) -> int:
        return self._attempts.count(f"{self._folder}/{name}")

    def attempt(self, name: str) -> AbstractContextManager[None]:
        return self._attempts._mark(f"{self._folder}/{name}")
