"""The steady window: the time in which all workers of the slowest pool have work.

Pools before the slowest one run ahead and finish early, pools after it wait.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from synfiqa.cluster.telemetry.spans import Span


@dataclass(frozen=True)
class SteadyWindow:
    """Time in Unix seconds from when every worker of a pool has finished a unit until the first has no more work."""

    began: float
    ended: float
    workers: int


class Worker:
    """Spans of one process, from those of each of its units by stage."""

    def __init__(self, units: Iterable[Mapping[str, Span]]) -> None:
        parts = sorted(units, key=lambda part: min(span.began for span in part.values()))
        self.stages = tuple(dict.fromkeys(stage for part in parts for stage in part))
        self.spans = [span for part in parts for span in part.values()]
        self.began = min(span.began for span in self.spans)
        self.first_ended = max(span.ended for span in parts[0].values())
        self.ended = max(span.ended for span in self.spans)

    def busy(self, window: SteadyWindow) -> float:
        """Return the seconds of a window in which the process ran a stage."""
        return sum(max(0.0, min(span.ended, window.ended) - max(span.began, window.began)) for span in self.spans)


def steady_windows(workers: Sequence[Worker]) -> tuple[tuple[str, ...], int, list[SteadyWindow]]:
    """Return the stages of the slowest pool, its largest number of simultaneous workers, and its steady windows.

    A pool is the workers with the same stages; its executions are separate in time and have one window each, or none
    when some worker had fewer than two units.
    """
    pools: dict[tuple[str, ...], list[Worker]] = defaultdict(list)
    for worker in workers:
        pools[worker.stages].append(worker)
    if not pools:
        return (), 0, []
    executions = {stages: [_slots(part) for part in _executions(pool)] for stages, pool in pools.items()}
    most = {stages: max(len(slots) for slots in parts) for stages, parts in executions.items()}

    def pace(stages: tuple[str, ...]) -> float:
        return sum(span.seconds for worker in pools[stages] for span in worker.spans) / most[stages]

    slowest = max(pools, key=pace)
    windows = []
    for slots in executions[slowest]:
        began = max(slot[0].first_ended for slot in slots)
        ended = min(slot[-1].ended for slot in slots)
        if began < ended:
            windows.append(SteadyWindow(began, ended, len(slots)))
    return slowest, most[slowest], windows


@dataclass(frozen=True)
class GpuTime:
    """Seconds summed over the GPUs `gpus`: `busy_s` with kernels running, out of `seconds`."""

    gpus: frozenset[str]
    busy_s: float
    seconds: float


def gpu_time(spans: Iterable[Span], windows: Sequence[SteadyWindow]) -> GpuTime:
    """Return the busy seconds of the GPUs over the windows in which they had work.

    A GPU without a running stage counts as idle.
    """
    by_gpu: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.utilisation is not None:
            by_gpu[span.gpu].append(span)
    seen = set()
    busy_s = seconds = 0.0
    for window in windows:
        for gpu, found in by_gpu.items():
            # A resumed run may use other GPUs than before.
            inside = [span for span in found if span.began < window.ended and span.ended > window.began]
            if inside:
                seen.add(gpu)
                busy_s += _busy_seconds(inside, window)
                seconds += window.ended - window.began
    return GpuTime(frozenset(seen), busy_s, seconds)


def _busy_seconds(spans: Iterable[Span], window: SteadyWindow) -> float:
    """Return utilisation times seconds of one GPU."""
    # Each figure is that of the whole GPU, so figures of workers that share it are averaged, not added.
    edges: list[tuple[float, int, float]] = []
    for span in spans:
        use = span.utilisation or 0.0
        edges += [(max(span.began, window.began), 1, use), (min(span.ended, window.ended), -1, use)]
    total, last, count, utilisation = 0.0, window.began, 0, 0.0
    for when, step, use in sorted(edges):
        if count:
            total += utilisation / count * (when - last)
        last, count, utilisation = when, count + step, utilisation + step * use
    return total


def _executions(pool: Iterable[Worker]) -> list[list[Worker]]:
    """Split the workers at times without any worker: a resumed run, a replay, the next window of a long run."""
    parts: list[list[Worker]] = []
    ended = float("-inf")
    for worker in sorted(pool, key=lambda worker: worker.began):
        if worker.began > ended:
            parts.append([])
        parts[-1].append(worker)
        ended = max(ended, worker.ended)
    return parts


def _slots(workers: Iterable[Worker]) -> list[list[Worker]]:
    """Chain the workers of an execution: one that starts after another has ended replaces it, as after a crash."""
    slots: list[list[Worker]] = []
    for worker in sorted(workers, key=lambda worker: worker.began):
        free = [slot for slot in slots if slot[-1].ended <= worker.began]
        if free:
            min(free, key=lambda slot: slot[-1].ended).append(worker)
        else:
            slots.append([worker])
    return slots
