"""Keeps the actor pools of a Ray Data execution at planned sizes that change with the cluster.

Ray Data's own rules would size each pool by its queue, greedily and without regard for the others: one pool would take
the GPUs that another needs, and idle workers would be ended though they have loaded their models. Here a pool has a
size as if it were fixed, and that size moves.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

EXCHANGE_S = 45.0
"""Seconds that a worker of a lost node waits for a place before a worker of a node that is left makes room for it."""
REBALANCE_S = 8.0
"""Seconds that a new worker of one pool waits for a place before pools that are too large make room for it."""
MOST_WORKERS = 1_000_000
"""Upper bound with which a pool is made: its size is decided here, never by Ray Data."""


class Resizing:
    """The pools of one execution, in the order of its stages."""

    def __init__(self, pools: Sequence[Any], now: Callable[[], float] = time.monotonic) -> None:
        self._pools = [_Resized(pool) for pool in pools]
        self._now = now
        self._lost: float | None = None
        self._waiting: float | None = None

    def apply(self, sizes: Iterable[int], usable: Collection[str]) -> None:
        """Let the pools grow or shrink to `sizes`; `usable` are the ids of the nodes that take new work.

        Workers that are too many end when they have nothing under way: first those without a node that they could use.
        When one of these holds units and finds no place for EXCHANGE_S, a worker elsewhere finishes what it has and
        ends, so that the other starts in its place and makes them. The same when a pool that should grow has workers
        that have not started after REBALANCE_S while others are too large: paces have changed, or were misjudged.
        """
        over = [(pool, pool.shrink(-pool.grow(size), usable)) for pool, size in zip(self._pools, sizes, strict=True)]
        homeless = any(pool.homeless() for pool in self._pools)
        self._lost = (self._now() if self._lost is None else self._lost) if homeless else None
        waiting = any(pool.waiting() and excess <= 0 for pool, excess in over)
        self._waiting = (self._now() if self._waiting is None else self._waiting) if waiting else None
        if self._past(self._lost, EXCHANGE_S) or self._past(self._waiting, REBALANCE_S):
            for pool, excess in over:
                pool.retire(excess)

    def _past(self, since: float | None, seconds: float) -> bool:
        return since is not None and self._now() - since >= seconds


class _Resized:
    """One pool of Ray Data; the only place that touches its insides, which are those of Ray 2.60."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._retiring: set[Any] = set()
        rank = pool._update_rank
        # A worker that retires is ranked like a dead one: it takes nothing more, and keeps what it has.
        pool._update_rank = lambda *, actor, state, died: rank(
            actor=actor, state=state, died=died or actor in self._retiring
        )

    def grow(self, size: int) -> int:
        """Set the size, to which Ray Data adds workers in its next step; return how many are missing."""
        pool, now = self._pool, self._pool.current_size()
        # Ray Data has no empty pools: while no node is usable, one worker waits for the next.
        size = max(size, 1)
        wanted = (size, max(size, now))
        if (pool.min_size(), pool.max_size()) != wanted:
            # Between the two nothing is decided by queues: the pool never holds more than the second number.
            pool._config = replace(pool._config, min_size=wanted[0], max_size=wanted[1], initial_size=wanted[0])
        return size - now

    def shrink(self, excess: int, usable: Collection[str]) -> int:
        """End workers that are too many, if they have nothing under way; return how many too many are left."""
        if excess <= 0:
            self._retiring.clear()
            return 0
        leave_later = 0
        for actor, state in list(self._pool._running_actors.items()):
            if not (state.is_restarting or state.actor_location not in usable or actor in self._retiring):
                continue
            if state.num_tasks_in_flight or not excess:
                leave_later += 1
                continue
            self._pool._release_running_actor(actor)
            self._retiring.discard(actor)
            excess -= 1
        while excess > leave_later and self._pool._try_remove_pending_actor():
            excess -= 1
        return excess

    def waiting(self) -> bool:
        """Return whether a requested worker has not started."""
        return bool(self._pool.num_pending_actors())

    def homeless(self) -> bool:
        """Return whether a worker holds units and has no process at the moment."""
        return any(state.is_restarting and state.num_tasks_in_flight for state in self._pool._running_actors.values())

    def retire(self, excess: int) -> None:
        """Have up to `excess` workers take nothing more, those with the least under way."""
        self._retiring &= self._pool._running_actors.keys()
        working = [
            (state.num_tasks_in_flight, at, actor, state)
            for at, (actor, state) in enumerate(self._pool._running_actors.items())
            if not state.is_restarting and actor not in self._retiring
        ]
        # The last one goes on, unless one with units of this pool starts in its place.
        free = min(excess - len(self._retiring), len(working) - (not self.homeless()))
        for _, _, actor, state in sorted(working)[: max(free, 0)]:
            self._retiring.add(actor)
            self._pool._update_rank(actor=actor, state=state, died=True)
