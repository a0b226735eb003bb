"""How many workers each pool has: by GPUs where it takes some, else by the pace of the slowest stage."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from synfiqa.cluster.pipeline.layout.balance import balanced
from synfiqa.cluster.pipeline.stage import Resources, Stage
from synfiqa.cluster.ray_cluster.nodes import Node, total
from synfiqa.schemas.config.cluster import PlacementSection

HEADROOM = 1.5
"""Times the workers that a pool on CPUs needs to keep up with the GPUs: units do not arrive evenly."""
MEASURED = 10
"""Units from which on the measured pace counts, not the declared one."""
MEMORY = 50
"""Units over which it is averaged: a stage that becomes slower counts as it is now."""
LEAST = 2
"""Least workers of such a pool, if there is room: one that starts anew would halt the others."""


class MeasuredPace:
    """Seconds a unit of each stage, averaged over about the last MEMORY finished units; none before MEASURED are."""

    def __init__(self) -> None:
        self._units: Counter[str] = Counter()
        self._mean: dict[str, float] = {}

    def add(self, busy: Mapping[str, float]) -> None:
        """Account for a finished unit, with the seconds of each stage on it."""
        for stage, seconds in busy.items():
            self._units[stage] += 1
            mean = self._mean.get(stage, 0.0)
            self._mean[stage] = mean + (seconds - mean) / min(self._units[stage], MEMORY)

    @property
    def seconds(self) -> dict[str, float]:
        """Return the seconds by stage."""
        return {stage: mean for stage, mean in self._mean.items() if self._units[stage] >= MEASURED}


class Rooms:
    """Which nodes each pool may use, by number, and what those hold."""

    def __init__(self, nodes: Sequence[Node], labels: Sequence[Mapping[str, str]]) -> None:
        self._nodes = nodes
        self.places = [frozenset(at for at, node in enumerate(nodes) if node.has(selector)) for selector in labels]

    def balanced(
        self, sizes: Sequence[int], movable: Collection[int], seconds: Sequence[float], shares: Sequence[Resources]
    ) -> list[int]:
        """Return `sizes` with those of `movable` such that the largest seconds a unit and worker are least."""
        return balanced(sizes, movable, seconds, shares, self.places, self._nodes)

    def total(self, pool: int) -> tuple[float, float]:
        """Return the CPUs and GPUs of the nodes that a pool may use."""
        return total(self._nodes[at] for at in self.places[pool])

    def by_memory(self, pool: int, ram_mb: float) -> float:
        """Return how many workers of so much main memory the nodes take that a pool may use."""
        if not ram_mb:
            return math.inf
        return sum(self._nodes[at].memory_mb // ram_mb for at in self.places[pool])

    def rivals(self, pool: int) -> list[int]:
        """Return the pools that share a node with this one, itself among them."""
        return [at for at, places in enumerate(self.places) if places & self.places[pool]]

    def within(self, pool: int) -> list[int]:
        """Return the pools that may use no other nodes than this one, itself among them."""
        return [at for at, places in enumerate(self.places) if places and places <= self.places[pool]]


def pool_sizes(
    groups: Sequence[Sequence[Stage]],
    shares: Sequence[Resources],
    section: PlacementSection,
    rooms: Rooms,
    units: int,
    seconds: Mapping[str, float] | None = None,
) -> list[int]:
    """Return the sizes of the pools for so many units; `seconds` are those measured a unit, by stage.

    A pool without a node is planned with one worker, which waits for one.
    """
    fixed = [_configured(group, section) for group in groups]
    sizes = [fixed[at] or (_by_gpus(at, shares, rooms) if share.gpus else 0) for at, share in enumerate(shares)]
    leading = [at for at, share in enumerate(shares) if share.gpus]
    taken = _measured(groups, seconds or {})
    if taken and (movable := [at for at in leading or range(len(groups)) if not fixed[at] and rooms.places[at]]):
        sizes = rooms.balanced(sizes, movable, taken, shares)
    paces = _paces(groups, leading, taken)
    lead = max((sizes[at] for at in leading), default=0)
    for at, size in enumerate(sizes):
        if not size:
            sizes[at] = (
                _beside_gpus(at, shares, rooms, lead * paces[at]) if lead else _by_cpus(at, shares, rooms, paces)
            )
    most = [
        rooms.by_memory(at, sum(section.ram_mb.get(stage.name, 0) for stage in group))
        for at, group in enumerate(groups)
    ]
    return [int(max(1, min(size, units, most[at]))) if rooms.places[at] else 1 for at, size in enumerate(sizes)]


def _configured(group: Sequence[Stage], section: PlacementSection) -> int:
    return max((section.stage_workers.get(stage.name, 0) for stage in group), default=0) or section.workers


def _measured(groups: Sequence[Sequence[Stage]], seconds: Mapping[str, float]) -> list[float]:
    """Return the measured seconds a unit of each pool; nothing unless all stages are measured."""
    if not all(stage.name in seconds for group in groups for stage in group):
        return []
    return [sum(seconds[stage.name] for stage in group) for group in groups]


def _paces(groups: Sequence[Sequence[Stage]], leading: Sequence[int], taken: Sequence[float]) -> list[float]:
    """Return the seconds a unit of each pool over those of the slowest on GPUs, as measured or else as declared."""
    slowest = max((taken[at] for at in leading), default=0.0) if taken else 0.0
    if slowest:
        return [pool / slowest for pool in taken]
    return [max(stage.pace for stage in group) for group in groups]


def _by_gpus(pool: int, shares: Sequence[Resources], rooms: Rooms) -> int:
    rivals = sum(shares[at].gpus for at in rooms.rivals(pool))
    return max(1, math.floor(rooms.total(pool)[1] / rivals + 1e-9)) if rivals else 1


def _beside_gpus(pool: int, shares: Sequence[Resources], rooms: Rooms, needed: float) -> int:
    """Return as many workers as keep up, and no more than fit beside one of each other pool on the same nodes."""
    each = shares[pool].cpus
    others = sum(shares[at].cpus for at in rooms.rivals(pool)) - each
    fitting = math.floor((rooms.total(pool)[0] - others) / each + 1e-9) if each else LEAST
    return max(1, min(max(LEAST, math.ceil(needed * HEADROOM)), fitting))


def _by_cpus(pool: int, shares: Sequence[Resources], rooms: Rooms, paces: Sequence[float]) -> int:
    """Return the share of the CPUs that makes all pools equally fast."""
    weights = sum(shares[at].cpus * paces[at] for at in rooms.rivals(pool)) or 1.0
    return max(1, math.floor(rooms.total(pool)[0] / weights * paces[pool] + 1e-9))
