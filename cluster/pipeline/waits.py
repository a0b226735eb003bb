"""Sentences and limits of the waits of a stream: for a place to run, for workers that start, for any progress."""

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.ray_cluster.nodes import Node, label_text, total
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates
from synfiqa.cluster.telemetry.progress import announce, clock
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.errors import JobFailed

FIRST_WORD_S = 30.0
"""Seconds that a wait lasts before its first sentence."""
START_S = 45.0
"""The same while workers start: processes take seconds to do so, on a busy machine many, and models longer."""
LONGEST_SILENCE_S = 600.0
"""Most seconds between two sentences about one wait; they become rarer, the first follow after a minute."""
LAY_OUT_ANEW_S = 45.0
"""Seconds that a pool is without a place, on a cluster that has shrunk, before the stages are laid out anew."""
UNIT_FACTOR = 10
"""Times the longest unit measured so far that a stream may be without progress."""
FIRST_FACTOR = 12
"""Times `resilience.stall_s` that it may be so before a unit has been measured."""


class Workers(Protocol):
    """Processes that run alike: how many there should be, what each takes, and the labels of its node."""

    @property
    def name(self) -> str:
        """Return the name in sentences."""

    @property
    def size(self) -> int:
        """Return how many there should be."""

    @property
    def resources(self) -> Resources:
        """Return what each takes."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the labels that its node must have."""


class Shrunk(Exception):
    """The cluster has lost what a pool needs, and the stages fit on what is left."""


@dataclass(frozen=True)
class Look:
    """A stream at one moment: its workers by pool, the nodes, and a value that changes with every progress."""

    workers: Mapping[str, WorkerStates]
    nodes: Sequence[Node]
    progress: Hashable


class Waits:
    """The waits of one stream over `pools`, which were planned on `nodes`.

    `fits` returns whether the stages could be laid out on other nodes. Times are those of `now`, in seconds.
    """

    def __init__(
        self,
        pools: Sequence[Workers],
        nodes: Sequence[Node],
        resilience: ResilienceSection,
        fits: Callable[[Sequence[Node]], bool],
        *,
        now: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = announce,
    ) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._sizes = {pool.name: pool.size for pool in pools}
        self._planned = total(nodes)
        self._resilience = resilience
        self._fits = fits
        self._now, self._say = now, say
        self._longest = 0.0
        self._progress: Hashable = None
        self._moved = now()
        self._since: dict[str, float] = {}
        self._next: dict[str, float] = {}

    @property
    def pools(self) -> Sequence[str]:
        """Return the names of the pools."""
        return list(self._pools)

    def resized(self, sizes: Sequence[int]) -> None:
        """Account for pools that have other sizes from now on."""
        self._sizes.update(zip(self._pools, sizes, strict=False))

    @property
    def stall_s(self) -> float:
        """Return the seconds without progress after which the stream ends, as far as units have been measured."""
        floor = self._resilience.stall_s
        return max(floor, UNIT_FACTOR * self._longest) if self._longest else FIRST_FACTOR * floor

    def finished(self, seconds: float) -> None:
        """Account for a finished unit that took `seconds` of work, and for the time that the driver took for it."""
        self._longest = max(self._longest, seconds)
        self._moved = self._now()

    def look(self, seen: Look) -> None:
        """Write what is due; JobFailed when a limit is passed, Shrunk when the stages should be laid out anew."""
        for name, pool in self._pools.items():
            self._look_at(pool, seen.workers.get(name, WorkerStates()), seen.nodes)
        if seen.progress != self._progress:
            self._progress, self._moved = seen.progress, self._now()
            self._end("progress")
        elif any(name.startswith("place ") for name in self._since):
            # That wait has a limit of its own.
            self._moved = self._now()
        else:
            self._stalled()

    def _look_at(self, pool: Workers, states: WorkerStates, nodes: Sequence[Node]) -> None:
        nowhere = states.waiting > 0 and not (states.running or states.starting)
        if waited := self._lasts(f"place {pool.name}", nowhere):
            self._end_without_place(pool, waited, states.waiting, nodes)
        reason = missing(pool, nodes, self._planned, states.waiting)
        patience = FIRST_WORD_S if reason else START_S
        size = self._sizes[pool.name]
        nowhere_yet = _workers(
            pool.name, size, states.waiting, f"without a place: {reason or 'Ray starts their processes'}"
        )
        self._speak(f"worker {pool.name}", states.waiting > 0, nowhere_yet, patience)
        loading = states.starting > 0 and not states.running
        started = _workers(pool.name, size, states.starting, "started, and loading what they need")
        self._speak(f"start {pool.name}", loading, started, START_S)

    def _end_without_place(self, pool: Workers, waited: float, count: int, nodes: Sequence[Node]) -> None:
        held = total(nodes)
        shrunk = any(now < before - 1e-6 for now, before in zip(held, self._planned, strict=True))
        # Without any GPU left another device would compute, with other bits: that waits.
        if shrunk and waited >= LAY_OUT_ANEW_S and bool(held[1]) == bool(self._planned[1]) and self._fits(nodes):
            raise Shrunk(_lost(self._planned, held))
        if waited >= self._resilience.placement_wait_s:
            reason = missing(pool, nodes, self._planned, count) or "Ray has started no process for it"
            raise JobFailed(
                f"{pool.name} had no worker for {clock(waited)} ({reason}): correct the cluster or placement, or raise "
                "resilience.placement_wait_s, and run the same command again"
            )

    def _stalled(self) -> None:
        still = self._now() - self._moved
        longest = f"the longest unit so far took {clock(self._longest)}" if self._longest else "no unit is finished yet"
        if still >= self.stall_s:
            raise JobFailed(
                f"the workers made no progress for {clock(still)}, and {longest}: look at what they do, raise "
                "resilience.stall_s if that is their pace, and run the same command again"
            )
        quiet = max(LONGEST_SILENCE_S, 3 * self._longest)
        text = f"no progress for {clock(still)}; {longest}, and the job ends after {clock(self.stall_s)} without any"
        if still >= quiet:
            self._speak("progress", True, text, 0.0)

    def _speak(self, key: str, holds: bool, text: str, patience: float) -> None:
        """Write about a wait when it has lasted `patience`, then after a minute, two, four, at most ten."""
        waited = self._lasts(key, holds)
        if not holds or waited < patience or self._now() < self._next.get(key, 0.0):
            return
        self._next[key] = self._now() + min(LONGEST_SILENCE_S, max(2 * FIRST_WORD_S, waited))
        self._say(text if key == "progress" else f"{text}; waiting for {clock(waited)}")

    def _lasts(self, key: str, holds: bool) -> float:
        """Return for how long a condition has held; 0 when it does not, or only now."""
        if not holds:
            self._end(key)
            return 0.0
        return self._now() - self._since.setdefault(key, self._now())

    def _end(self, key: str) -> None:
        self._since.pop(key, None)
        self._next.pop(key, None)


def missing(pool: Workers, nodes: Sequence[Node], planned: tuple[float, float], count: int) -> str:
    """Return in words what `count` workers of a pool lack on these nodes; empty when the nodes have it free."""
    able = [node for node in nodes if node.has(pool.labels)]
    if not able:
        return (
            f"none of the {len(nodes)} nodes has the label {label_text(pool.labels)}" if nodes else "no node is alive"
        )
    cpus, gpus = pool.resources.cpus, pool.resources.gpus
    if sum(_fitting(node, pool.resources, count) for node in able) >= count:
        return ""
    unit, wanted, free = ("GPU", gpus, [node.free_gpus for node in able])
    at = 1
    if not gpus or sum(free) >= gpus * count - 1e-6:
        unit, wanted, free, at = "CPU", cpus, [node.free_cpus for node in able], 0
    held = total(able)[at]
    where = f"nodes with {label_text(pool.labels)}" if pool.labels else "nodes of the cluster"
    before = f" ({planned[at]:g} at the start)" if not pool.labels and held < planned[at] - 1e-6 else ""
    return f"each needs {wanted:g} {unit}, and the {where} have {sum(free):g} of {held:g}{before} free"


def _fitting(node: Node, each: Resources, most: int) -> int:
    """Return how many workers the free part of a node takes, at most so many."""
    parts = [(node.free_cpus, each.cpus), (node.free_gpus, each.gpus)]
    return min([most, *(math.floor(free / wanted + 1e-6) for free, wanted in parts if wanted)])


def _workers(pool: str, size: int, count: int, what: str) -> str:
    return f"{pool}: {count} of {size} worker{'s' * (size != 1)} {what}"


def _lost(before: tuple[float, float], now: tuple[float, float]) -> str:
    parts = [
        f"{held:g} of {planned:g} {unit}s are left"
        for unit, planned, held in zip(("CPU", "GPU"), before, now, strict=True)
        if held < planned - 1e-6
    ]
    return f"{' and '.join(parts)}: the stages are laid out anew"
