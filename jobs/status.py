"""Command `status`: print how far a run is and who drives it, from its folder alone."""

import argparse

from synfiqa.cluster.run.generations import current
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import LOOK_BUDGET_S, RUN, run_url


def status(options: argparse.Namespace) -> None:
    """Print the status for people or as JSON."""
    from synfiqa.jobs.terminal.status_text import run_status
    from synfiqa.jobs.terminal.status_watch import watch_status

    url = run_url(options)
    if options.watch:
        watch_status(lambda: current(url, retry_budget_s=LOOK_BUDGET_S), as_json=options.json, trace=options.trace)
    else:
        run_status(current(url, retry_budget_s=LOOK_BUDGET_S), as_json=options.json, trace=options.trace)


COMMAND = Command(
    "status",
    "print how far a run is and who drives it, from its folder alone",
    (
        *RUN,
        option("--json", action="store_true", help="print one JSON document"),
        option("--trace", action="store_true", help="also print how busy stages, workers and GPUs were"),
        option(
            "--watch",
            action="store_true",
            help="print it every 5 s until no driver holds the run; with --json one document a line",
        ),
    ),
    status,
)


if __name__ == "__main__":
    COMMAND.main()
