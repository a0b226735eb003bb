"""Exhaustive search over every order of every actor's requests, crashes, clock steps and faults of the store.

An actor is real code with a `Storage` of its own. It is a function of the answers that it has got so far, so it needs
no thread: it is run again from the start with those answers until it sends one request more. A state of the search is
the store and the answers of each actor; equal states are visited once, breadth first, so that the first violation found
has a shortest history. A crash is an actor that is never scheduled again after one of its requests.
"""

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

from synfiqa.cluster.run.lease_record import FOLDER
from synfiqa.cluster.storage.base import TMP
from synfiqa.cluster.storage.retrying import Retrying
from synfiqa.cluster.storage.storage import Storage
from tests.cluster.protocol.model_store import Answer, Pause, ReplayStore, Request, World, land, outcomes

Timing = Literal["prompt", "asleep during gc", "any"]
"""Delays allowed to an actor; the age guard of gc is one step of the store's clock.

prompt: no actor but gc is suspended during its work for as long as the guard, and its requests arrive by then.
asleep during gc: an actor may be suspended without limit, but resumes only while no gc is running.
any: every actor may be suspended anywhere, and resume at any moment.
"""


@dataclass(frozen=True)
class Actor:
    """Process with a role (writer, reader, gc) and a program.

    Actors of one `kind` do the same under other names, so that the first one may always begin first.
    """

    name: str
    role: Literal["writer", "reader", "gc"]
    program: Callable[[Storage], object]
    kind: object = None


@dataclass(frozen=True)
class Invariants:
    """Checks that return a sentence on a violation.

    world: in every state. change: from one state to the next. result: in every state after an actor's end, of what it
    returned or raised. end: when no actor is in the middle of its work.
    """

    world: Callable[[World], str | None] = lambda world: None
    change: Callable[[World, World], str | None] = lambda old, new: None
    result: Callable[[Actor, object, World], str | None] = lambda actor, result, world: None
    end: Callable[[World], str | None] = lambda world: None


@dataclass
class Report:
    """Result of a search: number of distinct states, and the first violation with its history."""

    states: int
    violation: str | None = None
    trace: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.violation is None:
            return f"{self.states} states, no violation"
        return "\n".join([f"{self.violation}, after {len(self.trace)} steps ({self.states} states):", *self.trace])


class _Node(NamedTuple):
    """Actor after some answers: about to send a request, or ended."""

    actor: int
    answers: tuple[Answer, ...]
    status: Literal["ready", "returned", "raised", "crashed"]
    request: Request | None = None
    result: object = None
    working: bool = False
    local: bool = False


_Label = tuple[object, ...]
"""Actor, action and effect of a step; formatted only for a trace."""


class _State(NamedTuple):
    """State as indexes into the search's tables, which are cheap to compare."""

    world: int
    nodes: tuple[int, ...]


class Search:
    """One search: actors on one kind of store under one assumption about time."""

    def __init__(
        self,
        actors: list[Actor],
        invariants: Invariants,
        *,
        enforcing: bool,
        timing: Timing = "prompt",
        faults: tuple[str, ...] = (),
        ticks: int = 1,
    ) -> None:
        if sum(actor.role == "gc" for actor in actors) > 1:
            raise ValueError("one gc at most: two would see each other's probes, which the search takes for private")
        self._actors = actors
        self._invariants = invariants
        self._enforcing = enforcing
        self._timing = timing
        self._ticks = ticks
        self._worlds: list[World] = []
        self._world_ids: dict[World, int] = {}
        self._nodes: list[_Node] = []
        self._node_ids: dict[tuple, int] = {}
        self._children: dict[tuple[int, Answer], int] = {}
        self._ways: dict[tuple[int, int], list[tuple[_Label, int, int]]] = {}
        self._known: dict[tuple, Any] = {}
        self._start = self._world_id(World(faults=faults))

    def run(self, limit: int = 5_000_000) -> Report:
        """Visit every reachable state; stop at the first violation."""
        start = _State(self._start, tuple(self._node(index, ()) for index in range(len(self._actors))))
        came: dict[_State, tuple[_State, _Label] | None] = {start: None}
        queue = deque([start])
        while queue:
            state = queue.popleft()
            for label, following in self._steps(state):
                if following in came:
                    continue
                came[following] = (state, label)
                violation = self._violation(state, following)
                if violation is not None:
                    return Report(len(came), violation, _trace(came, following))
                if len(came) > limit:
                    raise RuntimeError(f"more than {limit} states: choose fewer actors or faults")
                queue.append(following)
        return Report(len(came))

    def _steps(self, state: _State) -> Iterator[tuple[_Label, _State]]:
        nodes = [self._nodes[node] for node in state.nodes]
        for index, node in enumerate(nodes):
            if node.local:
                yield from self._moves(state, index)
                return
        working = {self._actors[node.actor].role for node in nodes if node.working}
        asleep = "gc" in working and self._timing == "asleep during gc"
        for index, node in enumerate(nodes):
            held = node.working and asleep and self._actors[index].role != "gc"
            if node.status == "ready" and not held and (node.working or self._may_begin(index, nodes)):
                yield from self._moves(state, index)
        if not asleep:
            for label, after in self._once(("wire", state.world), lambda: self._arrivals(self._worlds[state.world])):
                yield label, _State(after, state.nodes)
        world = self._worlds[state.world]
        in_time = self._timing != "prompt" or (not world.wire and working <= {"gc"})
        if world.clock < self._ticks and in_time:
            later = self._once(("clock", state.world), lambda: self._world_id(world._replace(clock=world.clock + 1)))
            yield ("clock", "the age guard passes"), _State(later, state.nodes)

    def _moves(self, state: _State, index: int) -> Iterator[tuple[_Label, _State]]:
        """Yield the outcomes of the next request of one actor, and a crash before it."""
        key = (state.world, state.nodes[index])
        if key not in self._ways:
            self._ways[key] = list(self._answered(*key))
        before, after = state.nodes[:index], state.nodes[index + 1 :]
        for label, world, child in self._ways[key]:
            yield label, _State(world, (*before, child, *after))

    def _answered(self, world: int, node: int) -> Iterator[tuple[_Label, int, int]]:
        parent = self._nodes[node]
        name, request = self._actors[parent.actor].name, parent.request
        assert request is not None, "an actor that is ready has a request"
        for answer, after, note in outcomes(self._worlds[world], request, self._enforcing):
            yield (name, request, note or answer), self._world_id(after), self._child(node, answer)
        # Elsewhere an actor that is never scheduled again has crashed; here it would hold the clock.
        if self._timing == "prompt" and parent.working:
            yield (name, "killed"), world, self._kept(_Node(parent.actor, (), "crashed"))

    def _arrivals(self, world: World) -> list[tuple[_Label, int]]:
        found: list[tuple[_Label, int]] = []
        for request in dict.fromkeys(world.wire):
            wire = list(world.wire)
            wire.remove(request)
            _, after = land(world._replace(wire=tuple(wire)), request, self._enforcing)
            found.append((("network", request, "arrives"), self._world_id(after)))
        return found

    def _may_begin(self, index: int, nodes: list[_Node]) -> bool:
        kind = self._actors[index].kind
        return kind is None or not any(
            self._actors[other.actor].kind == kind and other.status == "ready" and not other.working
            for other in nodes[:index]
        )

    def _world_id(self, world: World) -> int:
        if world not in self._world_ids:
            self._world_ids[world] = len(self._worlds)
            self._worlds.append(world)
        return self._world_ids[world]

    def _child(self, node: int, answer: Answer) -> int:
        key = (node, answer)
        if key not in self._children:
            parent = self._nodes[node]
            self._children[key] = self._node(parent.actor, (*parent.answers, answer))
        return self._children[key]

    def _node(self, index: int, answers: tuple[Answer, ...]) -> int:
        return self._kept(_execute(index, self._actors[index], answers))

    def _kept(self, node: _Node) -> int:
        """Return the index of a node; equal ends of an actor are one node, since its history no longer matters."""
        key = (node.actor, node.status, repr(node.result)) if node.status != "ready" else (node.actor, node.answers)
        if key not in self._node_ids:
            self._node_ids[key] = len(self._nodes)
            self._nodes.append(node)
        return self._node_ids[key]

    def _violation(self, old: _State, new: _State) -> str | None:
        if old.world != new.world:
            worlds = self._worlds[old.world], self._worlds[new.world]
            found = self._once(("change", old.world, new.world), lambda: self._invariants.change(*worlds))
            found = found or self._once(("world", new.world), lambda: self._invariants.world(worlds[1]))
            if found is not None:
                return found
        world, working = self._worlds[new.world], False
        for index in new.nodes:
            node = self._nodes[index]
            working |= node.working
            if node.status in ("returned", "raised"):
                ended = self._actors[node.actor], node.result, world
                found = self._once(("result", index, new.world), lambda ended=ended: self._invariants.result(*ended))
                if found is not None:
                    return found
        if world.wire or working:
            return None
        return self._once(("end", new.world), lambda: self._invariants.end(world))

    def _once[T](self, key: tuple, compute: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def _local(request: Request | None) -> bool:
    """Whether a request commutes with all others: on the probe of the only gc once it was put, or an empty folder."""
    if request is None:
        return False
    probe = request.path.startswith(TMP) and request.operation in ("scan", "head", "delete")
    return probe or (request.operation == "scan" and request.path == FOLDER)


def _execute(index: int, actor: Actor, answers: tuple[Answer, ...]) -> _Node:
    """Run the actor from its start with these answers, up to its next request or its end."""
    store = ReplayStore(answers)
    storage = Storage("memory://model")
    storage._store = store
    storage._retrying = Retrying(1e9, sleep=lambda seconds: None, uniform=lambda low, high: 0.0)
    names = (uuid.UUID(f"{10 + index:x}{number:031x}"[:1] + f"{number:011x}" + "0" * 20) for number in count(1))
    with patch("uuid.uuid4", lambda: next(names)):
        try:
            result = actor.program(storage)
        except Pause:
            pending = store.pending
            return _Node(index, answers, "ready", pending, working=bool(answers), local=_local(pending))
        except Exception as error:
            return _Node(index, answers, "raised", result=error)
    return _Node(index, answers, "returned", result=result)


def _trace(came: dict[_State, tuple[_State, _Label] | None], state: _State) -> list[str]:
    steps: list[str] = []
    while (step := came[state]) is not None:
        state, (who, what, *answers) = step
        steps.append(f"{who}: {what}" + "".join(f" -> {answer}" for answer in answers))
    return [f"{number:3d} {label}" for number, label in enumerate(reversed(steps), start=1)]
