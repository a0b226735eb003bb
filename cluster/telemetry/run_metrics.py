"""What happens in a run, as metrics: one function an event, called where it happens."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from synfiqa.cluster.telemetry.metrics import add, observe, put


class States(Protocol):
    """Numbers of processes by what Ray has done with them."""

    @property
    def running(self) -> int:
        """Return how many take work."""

    @property
    def starting(self) -> int:
        """Return how many load."""

    @property
    def waiting(self) -> int:
        """Return how many have no place."""


def unit_committed(run: str, half: str, counts: Mapping[str, int]) -> None:
    """Count a committed unit of a half, identities or samples, and its new rows by outcome.

    `counts` are those of its commit: accepted, rejected, dead, `rejected:<reason>`.
    """
    add("synfiqa_units", 1, run=run, half=half)
    rows = "synfiqa_candidates" if half == "identities" else "synfiqa_samples"
    for outcome in ("accepted", "rejected", "dead"):
        add(rows, counts.get(outcome, 0), run=run, outcome=outcome)
    for name, count in counts.items():
        if name.startswith("rejected:"):
            add("synfiqa_rejects", count, run=run, half=half, reason=name.removeprefix("rejected:"))
    add("synfiqa_dead_rows", counts.get("dead", 0), run=run, half=half)


def repeated(level: str) -> None:
    """Count a repetition: of a request, a call, a stage, or of a unit whose process died."""
    add("synfiqa_retries", 1, level=level)


def worker_failed(run: str, cause: str) -> None:
    """Count a failure of a worker."""
    add("synfiqa_worker_failures", 1, run=run, cause=cause)


def phase_progress(run: str, snapshot: Mapping[str, Any]) -> None:
    """Set the progress of a phase as `Phase.snapshot` returns it."""
    where = {"run": run, "phase": str(snapshot.get("phase", ""))}
    put("synfiqa_phase_done", snapshot.get("done", 0), **where)
    put("synfiqa_phase_planned", snapshot.get("planned", 0), **where)
    put("synfiqa_phase_eta_seconds", snapshot.get("eta_s") or 0.0, **where)


def pool_workers(run: str, states: Mapping[str, States]) -> None:
    """Set the numbers of processes of each pool, by its name."""
    for pool, count in states.items():
        for state in ("running", "starting", "waiting"):
            put("synfiqa_workers", getattr(count, state), run=run, pool=pool, state=state)


def lease_renewed(run: str, ttl_s: float) -> None:
    """Note that the lease of a run, lost after `ttl_s` seconds of silence, was renewed now."""
    put("synfiqa_lease_ttl_seconds", ttl_s, run=run)
    put("synfiqa_lease_renewed_timestamp_seconds", time.time(), run=run)


def lease_ended(run: str) -> None:
    """Note that the lease was given back or lost."""
    put("synfiqa_lease_renewed_timestamp_seconds", 0, run=run)


def stage_worked(run: str, stage: str, seconds: float, utilisation: float | None) -> None:
    """Add the seconds of a stage on a unit; `utilisation` is the share 0..1 in which its GPU was busy, or None."""
    add("synfiqa_stage_units", 1, run=run, stage=stage)
    add("synfiqa_stage_busy_seconds", seconds, run=run, stage=stage)
    if utilisation is not None:
        add("synfiqa_stage_gpu_busy_seconds", seconds * utilisation, run=run, stage=stage)


def timed_request[T](operation: str, request: Callable[[], T]) -> T:
    """Send a request to a store and record latency and outcome; that an object is missing, or exists, is an answer."""
    began, outcome = time.perf_counter(), "failed"
    try:
        result = request()
        outcome = "done"
        return result
    except (FileNotFoundError, FileExistsError):
        outcome = "done"
        raise
    finally:
        seconds = time.perf_counter() - began
        add("synfiqa_store_requests", 1, operation=operation, outcome=outcome)
        add("synfiqa_store_request_seconds", seconds, operation=operation)
        observe("synfiqa_store_request_duration_seconds", seconds, operation=operation)


def training_went_on(
    run: str, training: str, *, steps: int, images: int, seconds: float, waited_s: float, loss: float
) -> None:
    """Add steps of a training, their images, their seconds and those of waiting for data; set the loss if finite."""
    where = {"run": run, "training": training}
    add("synfiqa_training_steps", steps, **where)
    add("synfiqa_training_images", images, **where)
    add("synfiqa_training_seconds", seconds, **where)
    add("synfiqa_training_wait_seconds", waited_s, **where)
    if math.isfinite(loss):
        put("synfiqa_training_loss", loss, **where)
