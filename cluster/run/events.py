"""Failures of workers, kept in the run's `events/`, so that their logs outlive the pod that wrote them."""

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

from synfiqa.cluster.storage.storage import Storage, redact_all
from synfiqa.cluster.telemetry.log_lines import bound, record
from synfiqa.cluster.telemetry.run_metrics import worker_failed

FOLDER = "events"
MOST_EVENTS = 500
"""Events that a run keeps; further ones are left out until `synfiqa gc` has removed old ones."""
MOST_TEXT = 8 * 1024
"""Characters of a traceback and of a log that an event keeps: their ends."""
_BUDGET_S = 10.0
"""Seconds that an event may take: the store may be what fails."""


def keep_event(
    storage: Storage,
    cause: str,
    message: str,
    *,
    unit: str = "",
    stage: str = "",
    trace: str = "",
    log: str = "",
    key: str = "",
) -> None:
    """Write a failure to `events/<cause>-<12 hex digits>.json`; an event that cannot be written is left out.

    `trace` is the traceback, `log` the end of the worker's own log; `key` (hex) names what failed, so that two
    processes that find the same failure keep one event.
    """
    worker_failed(storage.uri(), cause)
    with bound(run=storage.uri(), unit=unit, stage=stage):
        event = record(message, "error", traceback=trace[-MOST_TEXT:], log=log[-MOST_TEXT:], pid=os.getpid())
    # The failure itself is what counts.
    with suppress(Exception):
        kept = Storage(storage.url, min(storage.retry_budget_s, _BUDGET_S))
        if len(kept.list(FOLDER)) < MOST_EVENTS:
            name = f"{FOLDER}/{cause}-{(key or uuid.uuid4().hex)[:12]}.json"
            kept.write(name, json.dumps(redact_all(event), indent=1, ensure_ascii=False).encode(errors="replace"))


def own_log() -> str:
    """Return the path of the file that this process writes its stderr to, empty where that is none."""
    with suppress(OSError):
        path = str(Path("/proc/self/fd/2").readlink())
        return path if Path(path).is_file() else ""
    return ""


def log_end(path: str) -> str:
    """Return the end of a log file as text, empty where it cannot be read."""
    with suppress(OSError), Path(path).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_TEXT))
        return file.read().decode(errors="replace")
    return ""
