"""Lines that Ray's core, which is no Python, writes to standard error while a process starts or joins a cluster."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from synfiqa.cluster.telemetry.log_lines import is_json, json_line

_STDERR = 2
_NOTE = "Set ray log level from environment variable"
"""The core writes it whenever the variable is set, at any level of logging."""


@contextmanager
def core_lines_as_ours() -> Iterator[None]:
    """Hold back what is written to standard error inside the block, and write it after: JSON where lines are JSON.

    The note about the core's log level is left out.
    """
    sys.stderr.flush()
    try:
        shown = os.dup(_STDERR)
    except OSError:
        # Standard error is closed.
        yield
        return
    # A file, not a pipe: processes of Ray that are started inside the block may keep it.
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, _STDERR)
            os.close(shown)
            caught.seek(0)
            _write(caught.read().decode(errors="replace"))


def _write(text: str) -> None:
    for line in filter(None, text.splitlines()):
        if _NOTE not in line:
            ready = json_line(line) if is_json() and not line.startswith("{") else line
            os.write(_STDERR, f"{ready}\n".encode())
