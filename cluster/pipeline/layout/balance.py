"""Shares the GPUs or CPUs of a cluster among the pools so that none waits for another longer than it must."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.ray_cluster.nodes import Node

GAIN = 0.1
"""Least share of the bottleneck's seconds a unit that other sizes must save: a worker that moves loads its models."""
RETHINK_S = 10.0
"""Seconds between two looks for better sizes, as long as the nodes stay."""


def balanced(
    sizes: Sequence[int],
    movable: Collection[int],
    seconds: Sequence[float],
    shares: Sequence[Resources],
    places: Sequence[Collection[int]],
    nodes: Sequence[Node],
) -> list[int]:
    """Return `sizes` with those of the `movable` pools chosen so that the largest seconds a unit and worker are least.

    Each has one worker at least; then the slowest gets one more for as long as a node of its own has room. Pools that
    do not move take their places first. Pools are numbered as in `shares`; `places` are the numbers of their nodes.
    """
    chosen = [1 if at in movable else size for at, size in enumerate(sizes)]
    free = [[node.cpus, node.gpus] for node in nodes]
    fixed = [at for at in range(len(sizes)) if at not in movable]
    for at in sorted(fixed, key=lambda pool: _weight(shares[pool]), reverse=True):
        for _ in range(chosen[at]):
            _place(shares[at], places[at], free)
    # A worker that needs most of a node comes before the small ones that would each break one open.
    for at in sorted(movable, key=lambda pool: _weight(shares[pool]), reverse=True):
        _place(shares[at], places[at], free)
    growing = set(movable)
    while growing:
        slowest = max(growing, key=lambda pool: (seconds[pool] / chosen[pool], -pool))
        if seconds[slowest] > 0 and _place(shares[slowest], places[slowest], free):
            chosen[slowest] += 1
        else:
            # What is left would only make faster what waits for this one already.
            break
    return chosen


def bottleneck(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the seconds from one unit to the next that pools of these sizes take at best."""
    return max((taken / size for taken, size in zip(seconds, sizes, strict=True)), default=0.0)


class SteadySizes:
    """Sizes of pools that follow measured paces, and stay as they are where others would gain too little.

    `plan(nodes, seconds)` returns sizes by the seconds a unit of each stage, or as declared where those are empty.
    """

    def __init__(
        self,
        plan: Callable[[Sequence[Node], Mapping[str, float]], list[int]],
        stages: Sequence[Collection[str]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._stages, self._now = plan, stages, now
        self._nodes: tuple[str, ...] | None = None
        self._sizes: list[int] = []
        self._next = 0.0

    def on(self, nodes: Sequence[Node], seconds: Mapping[str, float]) -> list[int]:
        """Return the sizes on these nodes by the paces measured so far."""
        ids = tuple(sorted(node.id for node in nodes))
        if ids != self._nodes:
            self._nodes, self._sizes, self._next = ids, self._plan(nodes, seconds), self._now() + RETHINK_S
        elif self._now() >= self._next:
            self._next = self._now() + RETHINK_S
            self._follow(self._plan(nodes, seconds), seconds)
        return list(self._sizes)

    def _follow(self, better: list[int], seconds: Mapping[str, float]) -> None:
        taken = [sum(seconds.get(stage, 0.0) for stage in group) for group in self._stages]
        if bottleneck(better, taken) < (1 - GAIN) * bottleneck(self._sizes, taken):
            self._sizes = better


def _weight(share: Resources) -> tuple[float, float]:
    return share.gpus, share.cpus


def _place(share: Resources, places: Collection[int], free: list[list[float]]) -> bool:
    """Take the share of one worker from the node with the least that is enough; False where none has enough."""
    fitting = [at for at in places if free[at][0] + 1e-6 >= share.cpus and free[at][1] + 1e-6 >= share.gpus]
    if not fitting:
        return False
    chosen = min(fitting, key=lambda at: (free[at][1], free[at][0], at) if share.gpus else (free[at][0], at))
    free[chosen][0] -= share.cpus
    free[chosen][1] -= share.gpus
    return True
