"""Prints the status of a run again and again until no driver holds it."""

import sys
import time
from collections.abc import Callable

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.terminal.status_text import status_lines, status_of

EVERY_S = 5.0
"""Seconds between two looks."""
LAST_LOOKS = 3
"""Looks without a driver that end it: the jobs of `synfiqa run` hold the run one after the other."""

_CLEAR = "\x1b[H\x1b[2J"


def watch_status(
    storage_of: Callable[[], Storage],
    *,
    as_json: bool = False,
    trace: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Print the status every EVERY_S seconds; returns at once when no driver holds the run, or after it has ended.

    A terminal is cleared for each look, elsewhere the looks follow each other. With `as_json` each is one line of JSON.
    `storage_of` returns the generation of the run to look at.
    """
    held, without = False, 0
    while True:
        status = status_of(storage_of(), trace=trace)
        if as_json:
            text = status.model_dump_json()
        else:
            lines = "\n".join(status_lines(status))
            text = f"{_CLEAR}{lines}" if sys.stdout.isatty() else f"{lines}\n"
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        running = status.state == "running"
        held, without = held or running, 0 if running else without + 1
        if without and (not held or without >= LAST_LOOKS):
            return
        sleep(EVERY_S)
