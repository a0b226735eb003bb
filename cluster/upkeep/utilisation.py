"""Utilisation of a run's stages, workers and GPUs, from the provenance of its commits.

All revisions of all units count, superseded ones too. Units that were never committed are missing, and so is the shard
writer, whose time is not known when it writes the commit.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

from pydantic import Field

from synfiqa.cluster.commits.shard_store import Kind, parse_commit_path
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.spans import Span, from_provenance
from synfiqa.cluster.telemetry.steady_window import GpuTime, Worker, gpu_time, steady_windows
from synfiqa.schemas.manifest import Record


class StageUse(Record):
    """Use of one stage over all units of its half."""

    half: Kind
    stage: str
    units: int
    busy_s: float
    median_s: float = Field(description="seconds per unit")
    workers: int = Field(description="processes that ran it, also one after another")
    busy: float = Field(description="share of its workers' time, from their first unit to the end of their last")
    gpu: float | None = Field(description="mean GPU utilisation while it worked, 0..1; null when unknown")
    gpu_memory: int | None = Field(description="most bytes in use on a GPU while it worked; null when unknown")


class Steady(Record):
    """Use of workers and GPUs over the steady windows of a half (see `synfiqa.cluster.telemetry.steady_window`)."""

    half: Kind
    pool: list[str] = Field(description="stages of the slowest pool: most busy seconds per worker")
    workers: int = Field(description="largest number at the same time")
    seconds: float = Field(description="length, summed over executions")
    busy: float = Field(description="share of the workers' time in which their stages ran, 0..1")
    gpus: int = Field(description="GPUs that were traced")
    gpu_busy: float | None = Field(description="mean utilisation of all of them, 0..1, idle ones too; null without any")


class RunTrace(Record):
    """Use of stages and GPUs of a run; `gpu_busy` is the GPUs' mean over the steady windows of both halves."""

    stages: list[StageUse]
    steady: list[Steady]
    steady_s: float
    gpu_busy: float | None


def read_trace(storage: Storage) -> RunTrace:
    """Return the trace of a run; skips unreadable commits, which `synfiqa verify` reports."""
    paths = [path for path in storage.list("commits") if parse_commit_path(path)]
    commits = []
    for path, data in zip(paths, storage.read_many(paths), strict=True):
        name = parse_commit_path(path)
        try:
            spans = from_provenance(json.loads(data)["provenance"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if name is not None and spans:
            commits.append((name[0], spans))
    return trace_of(commits)


def trace_of(commits: Iterable[tuple[Kind, Mapping[str, Span]]]) -> RunTrace:
    """Return the trace of units given as half and spans by stage."""
    halves: dict[Kind, list[Mapping[str, Span]]] = defaultdict(list)
    for kind, spans in commits:
        halves[kind].append(spans)
    stages: list[StageUse] = []
    steady: list[Steady] = []
    gpus: list[GpuTime] = []
    for half in sorted(halves):
        workers = _workers(halves[half])
        stages += _stages(half, halves[half], workers)
        for found, gpu in _steady(half, workers):
            steady.append(found)
            gpus.append(gpu)
    return RunTrace(
        stages=stages,
        steady=steady,
        steady_s=round(sum(window.seconds for window in steady), 3),
        gpu_busy=_share(sum(gpu.busy_s for gpu in gpus), sum(gpu.seconds for gpu in gpus)),
    )


def _workers(units: list[Mapping[str, Span]]) -> dict[str, Worker]:
    """Return the worker processes by name."""
    found: dict[str, list[dict[str, Span]]] = defaultdict(list)
    for spans in units:
        own: dict[str, dict[str, Span]] = defaultdict(dict)
        for stage, span in spans.items():
            own[span.worker][stage] = span
        for name, part in own.items():
            found[name].append(part)
    return {name: Worker(parts) for name, parts in found.items()}


def _stages(half: Kind, units: list[Mapping[str, Span]], workers: Mapping[str, Worker]) -> list[StageUse]:
    by_stage: dict[str, list[Span]] = defaultdict(list)
    for spans in units:
        for stage, span in spans.items():
            by_stage[stage].append(span)
    return [_stage(half, stage, spans, workers) for stage, spans in by_stage.items()]


def _stage(half: Kind, stage: str, spans: list[Span], workers: Mapping[str, Worker]) -> StageUse:
    names = {span.worker for span in spans}
    busy_s = sum(span.seconds for span in spans)
    known = [(span.seconds, span.utilisation) for span in spans if span.utilisation is not None]
    return StageUse(
        half=half,
        stage=stage,
        units=len(spans),
        busy_s=round(busy_s, 3),
        median_s=round(median(span.seconds for span in spans), 3),
        workers=len(names),
        busy=_share(busy_s, sum(workers[name].ended - workers[name].began for name in names)) or 0.0,
        gpu=_share(sum(seconds * use for seconds, use in known), sum(seconds for seconds, _ in known)),
        gpu_memory=max((span.memory for span in spans if span.memory is not None), default=None),
    )


def _steady(half: Kind, workers: Mapping[str, Worker]) -> list[tuple[Steady, GpuTime]]:
    pool, most, windows = steady_windows(list(workers.values()))
    if not windows:
        return []
    members = [worker for worker in workers.values() if worker.stages == pool]
    at_work = sum(worker.busy(window) for worker in members for window in windows)
    present = sum(window.workers * (window.ended - window.began) for window in windows)
    gpu = gpu_time((span for worker in workers.values() for span in worker.spans), windows)
    steady = Steady(
        half=half,
        pool=list(pool),
        workers=most,
        seconds=round(sum(window.ended - window.began for window in windows), 3),
        busy=_share(at_work, present) or 0.0,
        gpus=len(gpu.gpus),
        gpu_busy=_share(gpu.busy_s, gpu.seconds),
    )
    return [(steady, gpu)]


def _share(part: float, whole: float) -> float | None:
    # A clock that was adjusted meanwhile must not give a share above 1.
    return round(min(1.0, part / whole), 4) if whole else None
