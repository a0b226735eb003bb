"""Command `report`: write one static page about a run."""

import argparse

from synfiqa.jobs.command import Command
from synfiqa.jobs.options import CONFIG, config_of, storage_of
from synfiqa.jobs.terminal.output import say


def report(options: argparse.Namespace) -> None:
    """Write the page for whatever the run has so far, and print where it is."""
    config = config_of(options)
    from synfiqa.jobs.workflows.report_file import run_report

    storage = storage_of(config)
    run_report(config, storage)
    say(storage.uri("report/index.html"))


COMMAND = Command("report", "write report/index.html, one static page about the run", CONFIG, report)


if __name__ == "__main__":
    COMMAND.main()
