"""Definitions of the metrics: names, kinds, units, labels and their values; docs, dashboard and alerts follow it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

PREFIX = "ray_"
"""What Ray puts before every name when it exports it."""
OTHER = "other"
"""Value of a label whose own value is none of the known ones, so that the number of series is bounded."""
STAGES = (
    *("identity_generator", "identity_filter", "identity_reader"),
    *("conditional_generator", "annotator", "shard_writer"),
)
REASONS = (
    *("no_face", "yaw", "glasses", "expression", "duplicate", "surplus"),
    *("not_finite", "other_person", "few_references"),
)
"""Reasons for which candidates and samples are rejected."""
PHASES = ("identities", "samples", "replay", "label", "train", "evaluate")
CAUSES = ("process", "unit", "rows", "set-up", "job", "training")
"""Causes of kept events (`synfiqa.cluster.run.events`): what was lost, or what ended."""

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True)
class MetricDefinition:
    """A metric as it is recorded: `buckets` are the upper bounds of a histogram, in its unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """Return the name under which Prometheus has it; a histogram's is followed by _bucket, _count or _sum."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


def _counter(name: str, unit: str, labels: tuple[str, ...], meaning: str) -> MetricDefinition:
    return MetricDefinition(f"synfiqa_{name}", "counter", unit, labels, meaning)


def _gauge(name: str, unit: str, labels: tuple[str, ...], meaning: str) -> MetricDefinition:
    return MetricDefinition(f"synfiqa_{name}", "gauge", unit, labels, meaning)


DEFINITIONS = (
    _counter("units", "units", ("run", "half"), "ledger units and shards that the driver has committed"),
    _counter("candidates", "candidates", ("run", "outcome"), "decided candidates"),
    _counter("samples", "images", ("run", "outcome"), "finished samples, references included; its rate is images/s"),
    _counter("rejects", "rows", ("run", "half", "reason"), "rejected candidates and samples"),
    _counter("dead_rows", "rows", ("run", "half"), "rows that could not be made"),
    _counter("retries", "retries", ("level",), "repeated requests, model calls and stages, and units after a death"),
    _counter("worker_failures", "failures", ("run", "cause"), "failures of workers, of which `events/` keeps the log"),
    _gauge("phase_done", "", ("run", "phase"), "work that the current phase has done, in units of its own"),
    _gauge("phase_planned", "", ("run", "phase"), "work that it has to do in all"),
    _gauge("phase_eta_seconds", "s", ("run", "phase"), "time that it still takes; 0 where unknown or done"),
    _gauge("workers", "processes", ("run", "pool", "state"), "worker processes; waiting ones have no place on a node"),
    _gauge(
        "lease_renewed_timestamp_seconds",
        "Unix s",
        ("run",),
        "last renewal of the lease; its age is time() less this; 0 when the driver has given it back",
    ),
    _gauge("lease_ttl_seconds", "s", ("run",), "age at which the lease is lost"),
    _counter("stage_units", "units", ("run", "stage"), "units that a stage has worked on"),
    _counter("stage_busy_seconds", "s", ("run", "stage"), "time at work, over all workers of the stage"),
    _counter(
        "stage_gpu_busy_seconds",
        "s",
        ("run", "stage"),
        "the part of it in which the worker's GPU ran kernels; over stage_busy_seconds it is the GPU share",
    ),
    _counter("store_requests", "requests", ("operation", "outcome"), "requests to the run's store, repeats included"),
    _counter("store_request_seconds", "s", ("operation",), "time that they took"),
    MetricDefinition(
        "synfiqa_store_request_duration_seconds",
        "histogram",
        "s",
        ("operation",),
        "their latencies; buckets and count are exact, _sum is not (take store_request_seconds)",
        _LATENCY,
    ),
    _counter("training_steps", "steps", ("run", "training"), "steps of the optimiser"),
    _counter("training_images", "images", ("run", "training"), "images that they took"),
    _counter("training_seconds", "s", ("run", "training"), "time of the steps; over training_steps the step time"),
    _counter("training_wait_seconds", "s", ("run", "training"), "the part of it spent waiting for data"),
    _gauge("training_loss", "", ("run", "training"), "loss of the last step"),
)
METRICS = {definition.name: definition for definition in DEFINITIONS}

LABELS: dict[str, tuple[str, Collection[str]]] = {
    "run": ("URL of the run, without credentials", ()),
    "training": ("`train.name`", ()),
    "half": ("part of a generate job", ("identities", "samples")),
    "outcome": ("", ("accepted", "rejected", "dead", "done", "failed")),
    "reason": ("why a row was rejected", REASONS),
    "level": ("what is repeated", ("request", "call", "stage", "process")),
    "cause": ("what failed", CAUSES),
    "phase": ("part of a job", PHASES),
    "stage": ("", STAGES),
    "pool": ("stages of its processes, joined by +", ()),
    "state": ("", ("running", "starting", "waiting")),
    "operation": ("", ("read", "read_batch", "write", "list", "delete")),
}
"""Meaning and known values of each label; one without known values has few by itself, such as one a job."""

RAY_LABELS = ("Component", "NodeAddress", "SessionName", "Version", "WorkerId", "instance", "job")
"""Labels that Ray adds to these series, and Prometheus to all."""

OTHERS = {
    "ray_node_gpus_utilization": ("GpuIndex", "GpuDeviceName", "ip"),
    "ray_node_disk_utilization_percentage": ("ip",),
    "ray_memory_manager_worker_eviction_total": ("Type",),
}
"""Ray's own metrics that dashboard and alerts use, and labels of theirs; the first and the last exist on nodes with
GPUs, and once Ray has ended a process for want of memory."""


def bounded(label: str, value: str) -> str:
    """Return a value of a label if it is a known one, else `other`; every part of a pool's name is a stage."""
    if label == "pool":
        return "+".join(bounded("stage", part) for part in value.split("+"))
    known = LABELS[label][1]
    return value if not known or value in known else OTHER
