"""Command `run`: everything from nothing to a labelled dataset and an evaluated model, with a report."""

import argparse

from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command
from synfiqa.jobs.options import CONFIG, NEW_GENERATION, config_of


def run(options: argparse.Namespace) -> None:
    """Run every phase that is not finished yet."""
    config = config_of(options)
    require_address()
    from synfiqa.jobs.workflows.whole_run import run_all

    run_all(config, new_generation=options.new_generation)


COMMAND = Command(
    "run",
    "everything: generate, label, train, evaluate, report; run again to finish or resume",
    (*CONFIG, NEW_GENERATION),
    run,
)


if __name__ == "__main__":
    COMMAND.main()
