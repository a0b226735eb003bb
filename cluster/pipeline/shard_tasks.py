"""Maps a function over the shards of a run: as tasks on the cluster at hand, else in this process.

A function must be picklable, and a repeated call must do no harm: a task whose node is lost runs again elsewhere.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from synfiqa.cluster.pipeline.node_libraries import require_libraries
from synfiqa.cluster.pipeline.ray_session import cluster_limits, ray_session
from synfiqa.cluster.ray_cluster.nodes import alive_nodes
from synfiqa.cluster.ray_cluster.ray_address import cluster_at_hand
from synfiqa.cluster.ray_cluster.task_wait import TaskWait
from synfiqa.cluster.run.fingerprint import library_version
from synfiqa.cluster.run.manifest import MANIFEST
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.errors import JobFailed, UserError

TASK_S = 2.0
"""Seconds that a task should take: it gets as many shards as the measured time of one allows."""
MOST_SHARDS = 64
"""Most shards of a task."""
PER_CPU = 2
"""Tasks in flight for each CPU that the cluster has or may grow to."""
RETRIES = 4
"""How often Ray runs a task again whose process or node was lost."""
LOOK_S = 5.0
"""Seconds between two looks at the cluster."""

_LIBRARIES = ("numpy", "pyarrow")
"""Libraries on which the bytes of label parts and exports depend."""
_DEFAULT_RESILIENCE = ResilienceSection()


@dataclass(frozen=True)
class ShardTasks:
    """How the tasks of a job run: its name in sentences, the run that their nodes must see, and limits of waits.

    A task has at most `most_shards`, of which `threads` are under way at once.
    """

    job: str
    storage: Storage
    resilience: ResilienceSection = _DEFAULT_RESILIENCE
    most_shards: int = MOST_SHARDS
    threads: int = 1

    def map[K, T](
        self,
        function: Callable[[K], T],
        items: Iterable[K],
        *,
        here: Callable[[Callable[[K], T], Iterable[K]], Iterator[T]] = map,
        ordered: bool = True,
    ) -> Iterator[T]:
        """Yield the result of each item; in order when `ordered`, else as they come.

        Without a cluster, and for a run in the memory of this process, `here` maps.
        An error of a call is raised in its place. JobFailed when tasks are lost too often or wait too long, UserError
        when a node has other libraries than this one or does not see the run.
        """
        if cluster_at_hand() and not self.storage.in_memory:
            return self._on_cluster(function, items, ordered)
        return here(function, items)

    def _on_cluster[K, T](self, function: Callable[[K], T], items: Iterable[K], ordered: bool) -> Generator[T]:
        with ray_session():
            import ray

            shared: Any = ray.put((function, self.storage, {name: library_version(name) for name in _LIBRARIES}))
            # Spread, since each node has its own link to the store.
            task = ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(_run)
            wait, room = TaskWait(self.job, self.resilience), _Room()
            rest, size, running = iter(items), 1, deque[Any]()
            try:
                while True:
                    while len(running) < room() and (shards := list(islice(rest, size))):
                        running.append(task.remote(shared, shards, self.threads))
                    if not running:
                        return
                    ended = _next_ended(running, wait, ordered)
                    running.remove(ended)
                    outcome = self._outcome(ended)
                    wait.result()
                    size = _next_size(size, outcome, self.most_shards)
                    yield from outcome.results
                    if outcome.error is not None:
                        raise outcome.error
            finally:
                for left in running:
                    # Where Ray has ended before, a call would start it again.
                    with suppress(Exception):
                        if ray.is_initialized():
                            ray.cancel(left)

    def _outcome(self, ended: Any) -> "_Outcome":
        import ray

        try:
            outcome: _Outcome = ray.get(ended)
        except ray.exceptions.RayError as error:
            lines = str(getattr(error, "cause", None) or error).strip().splitlines()
            reason = lines[-1] if lines else type(error).__name__
            raise JobFailed(
                f"{self.job} could not go on: a task failed on the cluster ({reason}); correct the cause and run the "
                "same command again"
            ) from error
        return outcome


@dataclass(frozen=True)
class _Outcome:
    """Results of a task in order up to its error, if one was raised, and the seconds that it took."""

    results: list[Any]
    error: UserError | JobFailed | None
    seconds: float


class _Room:
    """How many tasks may be in flight, by what the cluster holds now."""

    def __init__(self) -> None:
        self._looked, self._found = float("-inf"), 0

    def __call__(self) -> int:
        if time.monotonic() - self._looked > LOOK_S:
            self._looked, self._found = time.monotonic(), max(2, int(PER_CPU * cluster_limits()[0]))
        return self._found


def _run(shared: tuple[Callable[[Any], Any], Storage, Mapping[str, str]], shards: list[Any], threads: int) -> _Outcome:
    """Call the function for the shards of a task; runs on a node of the cluster."""
    function, storage, libraries = shared
    began, results = time.monotonic(), list[Any]()
    error: UserError | JobFailed | None = None
    try:
        require_libraries(libraries)
        _require_seen(storage.url)
        with ThreadPoolExecutor(threads, thread_name_prefix="shard") as pool:
            results.extend(pool.map(function, shards))
    # As a value, because Ray would wrap it and repeat its traceback in the message.
    except (UserError, JobFailed) as failure:
        error = failure
    return _Outcome(results, error, time.monotonic() - began)


@cache
def _require_seen(url: str) -> None:
    """Raise UserError when this node does not see the run: its files would count as missing."""
    storage = Storage(url)
    if not storage.exists(MANIFEST):
        raise UserError(
            f"{socket.gethostname()} does not see {storage.uri(MANIFEST)}: keep the run on a store that all nodes "
            "reach, or unset RAY_ADDRESS to run here"
        )


def _next_ended(running: deque[Any], wait: TaskWait, ordered: bool) -> Any:
    import ray

    awaited = [running[0]] if ordered else list(running)
    while True:
        ended, _ = ray.wait(awaited, num_returns=1, timeout=LOOK_S)
        if ended:
            return ended[0]
        wait.look(alive_nodes())


def _next_size(size: int, outcome: _Outcome, most: int) -> int:
    """Return how many shards the next task gets: at most twice as many as the last one."""
    if not outcome.results:
        return size
    wanted = int(TASK_S * len(outcome.results) / max(outcome.seconds, 1e-3))
    return max(1, min(wanted, 2 * size, most))
