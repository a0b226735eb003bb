"""Command `status`: print how far a run is and who drives it, from its folder alone."""

import argparse

from synfiqa.cluster.run.generations import current
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import LOOK_BUDGET_S, RUN, run_url


def status(options: argparse.Namespace) -> None:
    """Print the status for people or as JSON."""
    from synfiqa.jobs.terminal.status_text import run_status

    storage = current(run_url(options), retry_budget_s=LOOK_BUDGET_S)
    run_status(storage, as_json=options.json, trace=options.trace)


COMMAND = Command(
    "status",
    "print how far a run is and who drives it, from its folder alone",
    (
        *RUN,
        option("--json", action="store_true", help="print one JSON document"),
        option("--trace", action="store_true", help="also print how busy stages, workers and GPUs were"),
    ),
    status,
)


if __name__ == "__main__":
    COMMAND.main()
