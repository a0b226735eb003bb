"""Model of an object store for the search: a request is one step, a network fault one of its outcomes."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from synfiqa.cluster.storage.base import Entry

LOST = "lost"
"""A put that is executed while its sender gets a time-out."""
LATE = "late"
"""A put whose sender gets a time-out, and which is executed at any later moment."""
CUT = "cut"
"""A put of data that is stored in part without an error; commits are small and assumed to arrive whole."""

LATE_CUT = "late cut"
"""A put of data whose sender gets a time-out; later a part of it is stored, or the object is removed, as by rclone."""


class Request(NamedTuple):
    """One request of one actor; `data` is empty for all but puts."""

    operation: str
    path: str
    data: bytes = b""

    def __str__(self) -> str:
        sizes = f", {len(self.data)} bytes" if self.data else ""
        return f"{self.operation.replace('_', ' ')} {self.path or 'everything'}{sizes}"


_WORDS = {None: "done", True: "made", False: "exists"}


class Answer(NamedTuple):
    """Answer to a request: a value or an error."""

    value: Any = None
    error: type[Exception] | None = None

    def give(self) -> Any:
        if self.error is not None:
            raise self.error("fault of the model store")
        return self.value

    def __str__(self) -> str:
        if self.error is not None:
            return "not found" if self.error is FileNotFoundError else "time-out"
        if isinstance(self.value, Entry):
            return f"{self.value.bytes} bytes"
        if isinstance(self.value, tuple):
            return ", ".join(entry.path for entry in self.value) or "nothing"
        return f"{len(self.value)} bytes" if isinstance(self.value, bytes) else _WORDS[self.value]


class World(NamedTuple):
    """The store at one moment: (path, data, modified) sorted, its clock, requests still on the wire, faults to come."""

    objects: tuple[tuple[str, bytes, int], ...] = ()
    clock: int = 0
    wire: tuple[Request, ...] = ()
    faults: tuple[str, ...] = ()

    @functools.cache  # noqa: B019
    def files(self) -> dict[str, bytes]:
        return {path: data for path, data, _ in self.objects}

    def with_object(self, path: str, data: bytes) -> "World":
        others = [item for item in self.objects if item[0] != path]
        return self._replace(objects=tuple(sorted([*others, (path, data, self.clock)])))

    def without_object(self, path: str) -> "World":
        return self._replace(objects=tuple(item for item in self.objects if item[0] != path))


class Outcome(NamedTuple):
    """Possible outcome of a request."""

    answer: Answer
    world: World
    note: str = ""


def outcomes(world: World, request: Request, enforcing: bool) -> list[Outcome]:
    """Return every possible outcome of a request."""
    path, found = request.path, world.files().get(request.path)
    if request.operation == "scan":
        top = f"{path}/" if path else ""
        entries = (Entry(name, len(data), float(modified)) for name, data, modified in world.objects)
        return [Outcome(Answer(tuple(entry for entry in entries if entry.path.startswith(top))), world)]
    if request.operation == "delete":
        return [Outcome(*land(world, request, enforcing))]
    if request.operation in ("read", "head"):
        if found is None:
            return [Outcome(Answer(error=FileNotFoundError), world)]
        modified = next(modified for name, _, modified in world.objects if name == path)
        return [Outcome(Answer(found if request.operation == "read" else Entry(path, len(found), modified)), world)]
    return _puts(world, request, enforcing)


def _puts(world: World, request: Request, enforcing: bool) -> list[Outcome]:
    answer, after = land(world, request, enforcing)
    ways = [Outcome(answer, after)]
    for fault in dict.fromkeys(world.faults):
        left = list(world.faults)
        left.remove(fault)
        time_out, calmer = Answer(error=TimeoutError), world._replace(faults=tuple(left))
        if fault == LOST:
            ways.append(Outcome(time_out, after._replace(faults=tuple(left)), "done, answer lost"))
        elif fault == LATE:
            ways.append(Outcome(time_out, calmer._replace(wire=(*world.wire, request)), "still on the wire"))
        elif fault == LATE_CUT and request.operation == "put":
            part = request._replace(data=request.data[: len(request.data) // 2])
            for late in (part, Request("delete", request.path)):
                ways.append(
                    Outcome(time_out, calmer._replace(wire=(*world.wire, late)), f"cut, {late.operation} to come")
                )
        elif fault == CUT and request.operation == "put":
            ways.append(
                Outcome(answer, calmer.with_object(request.path, request.data[: len(request.data) // 2]), "cut")
            )
    return ways


def land(world: World, request: Request, enforcing: bool) -> tuple[Answer, World]:
    """Execute a put or delete; only a store that enforces create-if-absent checks for an existing object."""
    if request.operation == "delete":
        return Answer(), world.without_object(request.path)
    conditional = request.operation == "put_if_absent"
    if conditional and enforcing and request.path in world.files():
        return Answer(False), world
    return Answer(True if conditional else None), world.with_object(request.path, request.data)


class Pause(BaseException):
    """Unwinds an actor at its next request; no BaseException handler of real code may hide it."""


class ReplayStore:
    """The `Store` of one actor: gives the answers that it got before, then stops the actor at its next request."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers
        self._given = 0
        self.pending: Request | None = None

    def _send(self, operation: str, path: str, data: bytes = b"") -> Any:
        if self.pending is None and self._given < len(self._answers):
            self._given += 1
            return self._answers[self._given - 1].give()
        self.pending = self.pending or Request(operation, path, data)
        raise Pause

    def read(self, path: str) -> bytes:
        return self._send("read", path)

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        found: list[bytes | Exception] = []
        for path in paths:
            try:
                found.append(self.read(path))
            except FileNotFoundError as error:
                found.append(error)
        return found

    def read_range(self, path: str, start: int, length: int) -> bytes:
        return self.read(path)[start : start + length]

    def put(self, path: str, data: bytes) -> None:
        self._send("put", path, data)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        return self._send("put_if_absent", path, data)

    def head(self, path: str) -> Entry:
        return self._send("head", path)

    def delete(self, path: str) -> None:
        self._send("delete", path)

    def scan(self, prefix: str) -> list[Entry]:
        return list(self._send("scan", prefix))
