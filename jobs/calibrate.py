"""Command `calibrate`: measure the memory of each stage and pack workers onto GPUs."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, positive


def calibrate(options: argparse.Namespace) -> None:
    """Print the measurements, the arithmetic and a placement section for the config."""
    config = config_of(options)
    from synfiqa.jobs.workflows.gpu_plan import run_calibrate

    run_calibrate(config, options.gpu_memory_mb)


COMMAND = Command(
    "calibrate",
    "measure the memory of each stage and pack workers onto GPUs",
    (
        *CONFIG,
        option(
            "--gpu-memory-mb", type=positive, metavar="MB", help="plan for a GPU of this size instead of the one here"
        ),
    ),
    calibrate,
)


if __name__ == "__main__":
    COMMAND.main()
