"""Errors that Ray's core reports to a driver: sentences on standard error in place of raw text among the results."""

import logging
from typing import Any

from synfiqa.cluster.telemetry.progress import announce

_log = logging.getLogger(__name__)
_TRIED_AGAIN = "so the task will be retried"


def announce_core_errors() -> None:
    """Announce these reports by their first line from now on; those of tasks that are tried again are logged alone."""
    from ray._private import worker

    # Ray has no option for them: they go to standard output, with tracebacks, whatever `log_to_driver` is.
    worker.print_to_stdstream = _show


def _show(data: Any, ignore_prefix: bool) -> Any:
    for text in data["lines"]:
        first = str(text).strip().partition("\n")[0]
        if _TRIED_AGAIN in text:
            _log.debug("Ray: %s", text)
        elif first:
            announce(f"Ray reports: {first}", "warning")
