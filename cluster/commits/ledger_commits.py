"""Commits decided ledger units in their order, several at a time where the store is slower than the decisions.

One unit takes five requests. They overlap for a group of units: data first, all at once; then the commit of the first
unit, which records those of the others (`Commit.followers`); then these, all at once. So a unit exists, or is recorded
by a commit that exists, only if all units before it do, and `complete_ledger` creates what a killed driver left out:
a later driver never decides such a unit again. A unit that nothing waits behind is committed alone, without followers.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple, Protocol, Self

import pyarrow as pa

from synfiqa.cluster.commits.column_reads import AT_ONCE, in_order
from synfiqa.cluster.commits.shard_store import ShardStore, Uploaded
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit, DeadRow

GROUP = AT_ONCE
"""Most units in one group."""
STOP_S = 10.0
"""Seconds that the end of a failed job waits for the group that is being committed."""


class Each(Protocol):
    """Calls a function for every item, possibly for several at once, and yields the results in order."""

    def __call__[K, T](self, function: Callable[[K], T], items: Iterable[K], /) -> Iterator[T]:
        """Yield the results; the first error is raised in its place."""
        ...


class DecidedUnit(NamedTuple):
    """A ledger unit that is decided: number, rows (schema `CANDIDATES`), counts, provenance and dead rows."""

    number: int
    table: pa.Table
    counts: Mapping[str, int]
    provenance: Mapping[str, str]
    dead: Sequence[DeadRow] = ()


def complete_ledger(store: ShardStore) -> dict[int, Commit]:
    """Return the commits of the ledger by number, after creating those that a killed driver left out of a group."""
    committed = store.committed("identities")
    promised = (follower for commit in committed.values() for follower in commit.followers)
    left_out = [follower for follower in promised if follower.number not in committed]
    for commit in left_out:
        store.create_promised(commit)
    return store.committed("identities") if left_out else committed


class LedgerGroups:
    """Commits groups of units one after the other; JobFailed when another driver has decided a unit differently."""

    def __init__(self, store: ShardStore, each: Each = in_order) -> None:
        self._store, self._each = store, each
        self._promised: dict[int, Commit] = {}

    def commit(self, units: Sequence[DecidedUnit]) -> list[Commit]:
        """Commit units of consecutive numbers that follow those committed before."""
        uploads = list(self._each(partial(_upload, self._store), units))
        made: list[Commit] = []
        while len(made) < len(units):
            made += self._group(uploads[len(made) :])
        return made

    def _group(self, uploads: Sequence[Uploaded]) -> list[Commit]:
        """Commit the first unit and as many of the others as its commit records."""
        for uploaded in uploads:
            if (promised := self._promised.pop(uploaded.commit.number, None)) is not None:
                _require_same(uploaded.commit, promised)
        first, *others = uploads
        leader = self._store.create(first, [uploaded.commit for uploaded in others])
        _require_same(first.commit, leader)
        # Another driver's group may be shorter or longer than ours; its units are decided as it records them.
        recorded = {follower.number: follower for follower in leader.followers}
        mine = [uploaded for uploaded in others if uploaded.commit.number in recorded]
        for uploaded in mine:
            _require_same(uploaded.commit, recorded.pop(uploaded.commit.number))
        self._promised |= recorded
        made = [leader, *self._each(self._store.create, mine)]
        for uploaded, commit in zip(mine, made[1:], strict=True):
            _require_same(uploaded.commit, commit)
        return made


class LedgerCommits:
    """Commits units in the background, in the order in which they are added. Leave it as a context manager."""

    def __init__(self, store: ShardStore) -> None:
        self._groups = LedgerGroups(store)
        self._waiting: queue.SimpleQueue[tuple[DecidedUnit, Future[Commit]] | None] = queue.SimpleQueue()
        self._stopped = False
        # A daemon: a driver that is interrupted leaves what is in flight, like one that is killed.
        self._thread = threading.Thread(target=self._work, name="ledger-commits", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stopped = kind is not None
        self._waiting.put(None)
        if kind is None or issubclass(kind, Exception):
            self._thread.join(STOP_S if kind else None)

    def add(self, unit: DecidedUnit) -> Future[Commit]:
        """Have a unit committed after all that were added before; the result is its commit, or its error.

        Once one has failed, all later ones fail with its error.
        """
        future: Future[Commit] = Future()
        self._waiting.put((unit, future))
        return future

    def _work(self) -> None:
        failed: BaseException | None = None
        while group := self._next_group():
            if failed is None and not self._stopped:
                try:
                    made = self._groups.commit([unit for unit, _ in group])
                except BaseException as error:
                    failed = error
                else:
                    for (_, future), commit in zip(group, made, strict=True):
                        future.set_result(commit)
                    continue
            for _, future in group:
                future.set_exception(failed or JobFailed("the job has stopped; run the same command again"))

    def _next_group(self) -> list[tuple[DecidedUnit, Future[Commit]]]:
        """Return all units that wait, at least one, up to GROUP; [] at the end."""
        group: list[tuple[DecidedUnit, Future[Commit]]] = []
        while not group or (len(group) < GROUP and not self._waiting.empty()):
            item = self._waiting.get()
            if item is None:
                # Also ends the call after this one.
                self._waiting.put(None)
                break
            group.append(item)
        return group


def _upload(store: ShardStore, unit: DecidedUnit) -> Uploaded:
    number, table, counts, provenance, dead = unit
    return store.upload("identities", number, table, counts, provenance, dead=dead)


def _require_same(ours: Commit, theirs: Commit) -> None:
    # The store itself refuses different content where neither has dead rows.
    if theirs.content_sha256 != ours.content_sha256:
        raise JobFailed(
            f"another driver has decided ledger unit {ours.number} with other dead candidates: "
            "run the same command again to go on from its decisions"
        )
