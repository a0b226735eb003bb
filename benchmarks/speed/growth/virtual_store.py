"""A store in memory whose requests take virtual time: a clock is advanced instead of sleeping."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heapreplace

from synfiqa.cluster.commits.column_reads import AT_ONCE
from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.storage import Storage

PAGE = 1000
"""Names in one answer to a listing."""


class VirtualClock:
    """Virtual seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0

    def spread[K, T](self, function: Callable[[K], T], items: Iterable[K], /) -> Iterator[T]:
        """Yield the results in order; time passes as if AT_ONCE calls ran side by side."""
        lanes, begun = [self.now] * AT_ONCE, self.now
        results = []
        for item in items:
            self.now = lanes[0]
            results.append(function(item))
            heapreplace(lanes, self.now)
        self.now = max(lanes, default=begun)
        return iter(results)


class VirtualStore:
    """Objects in memory; every request takes `latency_s` of the clock and is counted."""

    def __init__(self, clock: VirtualClock, latency_s: float) -> None:
        self.clock, self.requests = clock, 0
        self._latency_s = latency_s
        self._objects: dict[str, tuple[bytes, float]] = {}

    def storage(self) -> Storage:
        """Return a run folder on this store."""
        storage = Storage("memory://virtual")
        storage._store = self
        return storage

    def _take(self, requests: int = 1, at_once: int = 1) -> None:
        self.requests += requests
        self.clock.now += self._latency_s * -(-requests // at_once)

    def read(self, path: str) -> bytes:
        """Return the whole object."""
        self._take()
        return self._data(path)

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read the objects side by side."""
        self._take(len(paths), AT_ONCE)
        return [self._data(path) for path in paths]

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return a part of the object."""
        self._take()
        return self._data(path)[start : start + length]

    def put(self, path: str, data: bytes) -> None:
        """Write or replace the object."""
        self._take()
        self._objects[path] = (data, self.clock.now)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Write the object if none exists."""
        self._take()
        return self._objects.setdefault(path, (data, self.clock.now))[0] is data

    def head(self, path: str) -> Entry:
        """Return length and time of the object."""
        self._take()
        return Entry(path, len(self._data(path)), self._objects[path][1])

    def delete(self, path: str) -> None:
        """Delete the object."""
        self._take()
        self._objects.pop(path, None)

    def scan(self, prefix: str) -> list[Entry]:
        """Return every object below a folder; a page takes one request."""
        top = f"{prefix}/" if prefix else ""
        found = [Entry(path, len(data), at) for path, (data, at) in self._objects.items() if path.startswith(top)]
        self._take(1 + len(found) // PAGE)
        return found

    def children(self) -> list[str]:
        """Return the names directly in the run folder."""
        return sorted({entry.path.partition("/")[0] for entry in self.scan("")})

    def _data(self, path: str) -> bytes:
        if path not in self._objects:
            raise FileNotFoundError(path)
        return self._objects[path][0]
