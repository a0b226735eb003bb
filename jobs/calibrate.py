"""Command `calibrate`: measure the memory of each stage and pack workers onto GPUs."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, local_path, positive


def calibrate(options: argparse.Namespace) -> None:
    """Print the measurements, the arithmetic and a placement section for the config; write them where --out names."""
    config = config_of(options)
    out = local_path(options.out).expanduser() if options.out else None
    from synfiqa.jobs.workflows.deploy.calibration_file import write_calibration
    from synfiqa.jobs.workflows.gpu_plan import run_calibrate

    found = run_calibrate(config, options.gpu_memory_mb)
    if out is not None:
        write_calibration(out, config, found)


COMMAND = Command(
    "calibrate",
    "measure the memory of each stage and pack workers onto GPUs",
    (
        *CONFIG,
        option(
            "--gpu-memory-mb", type=positive, metavar="MB", help="plan for a GPU of this size instead of the one here"
        ),
        option("--out", metavar="FILE", help="write the measurements for `synfiqa deploy render`, JSON"),
    ),
    calibrate,
)


if __name__ == "__main__":
    COMMAND.main()
