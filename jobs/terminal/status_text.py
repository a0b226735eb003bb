"""Prints the progress and the driver of a run, from its folder alone."""

import sys
from collections.abc import Mapping

from synfiqa.cluster.run.events import FOLDER as EVENTS
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import clock
from synfiqa.cluster.upkeep.status import RunStatus, read_status
from synfiqa.cluster.upkeep.utilisation import RunTrace, read_trace
from synfiqa.jobs.terminal.trace_table import COLUMNS, steady_sentences, trace_rows


def run_status(storage: Storage, *, as_json: bool = False, trace: bool = False) -> None:
    """Print the status of the run as lines or as one JSON document; `trace` parses all commits for stages and GPUs."""
    status = status_of(storage, trace=trace)
    text = status.model_dump_json(indent=2) if as_json else "\n".join(status_lines(status))
    sys.stdout.write(text + "\n")


def status_of(storage: Storage, *, trace: bool = False) -> RunStatus:
    """Return the status of the run, with `trace` also the use of stages and GPUs."""
    status = read_status(storage)
    return status.model_copy(update={"trace": read_trace(storage)}) if trace else status


def status_lines(status: RunStatus) -> list[str]:
    """Return the status as lines."""
    candidates, samples, shards = status.candidates, status.samples, status.shards
    rejected = sum(candidates.rejected.values())
    reasons = _reasons(candidates.rejected)
    lines = [
        f"run         {status.run}",
        f"state       {_state(status)}",
        f"driver      {status.lease}",
        f"candidates  {candidates.planned} planned = {candidates.accepted} accepted + {rejected} rejected"
        f"{f' ({reasons})' if reasons else ''} + {candidates.dead} dead",
        f"identities  {candidates.accepted} of {candidates.wanted} {_share(candidates.accepted, candidates.wanted)}",
        f"samples     {samples.made} of {samples.planned} {_share(samples.made, samples.planned)}: "
        f"{samples.accepted} accepted ({samples.references} references), "
        f"{f'{_reasons(samples.rejected)} rejected, ' if samples.rejected else ''}{samples.dead} dead",
        f"shards      {shards.done} of {shards.planned} {_share(shards.done, shards.planned)}",
    ]
    progress = status.driver.progress if status.driver is not None and status.driver.held else {}
    if progress:
        lines.append(f"phase       {progress.get('phase')}: {progress.get('done')} of {progress.get('planned')}")
    if status.rate:
        unit = progress.get("unit", "samples") if progress.get("rate") else "samples"
        eta = f", ETA {clock(status.eta_s)}" if status.eta_s is not None else ""
        lines.append(f"rate        {status.rate:.3g} {unit}/s{'' if progress else ' lately'}{eta}")
    lines.append(f"labels      {', '.join(status.labels) or 'none'}")
    lines.append(f"models      {', '.join(status.models) or 'none'}")
    lines.append(f"report      {', '.join(status.reports) or 'none'}")
    if status.unreadable:
        lines.append(f"damage      {status.unreadable} commits are not readable: see `synfiqa verify {status.run}`")
    if status.events:
        failures = f"{status.events} failure{'s' * (status.events != 1)}"
        lines.append(f"events      {failures} of workers, kept in {status.run}/{EVENTS}/")
    if status.trace is not None:
        lines += ["", *trace_lines(status.trace)]
    return lines


def trace_lines(trace: RunTrace) -> list[str]:
    """Return the trace as a table and sentences."""
    if not trace.stages:
        return ["trace       none: no commit records its stages yet"]
    rows = [COLUMNS, *trace_rows(trace)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return [*table, *steady_sentences(trace)]


_STATES = {
    "running": "running",
    "finished": "finished",
    "unfinished": "unfinished: run the same command again to go on",
}


def _state(status: RunStatus) -> str:
    dead = status.candidates.dead + status.samples.dead
    if status.state == "unfinished" and dead and status.shards.done >= status.shards.planned:
        return (
            f"stopped by {dead} dead rows: `synfiqa replay {status.run} --dead` once their cause is gone, "
            "or raise resilience.max_dead_rate"
        )
    return _STATES[status.state]


def _reasons(rejected: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in rejected.items())


def _share(part: int, whole: int) -> str:
    # Rounded down, so that an unfinished run never shows 100 %.
    return f"({100 * part // whole} %)" if whole else "(none planned)"
