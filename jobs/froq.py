"""Command `froq`: calibrate FROQ, a quality scorer without training, on unlabelled faces."""

import argparse

from synfiqa.jobs.command import Command, CommandGroup, option
from synfiqa.jobs.options import local_path, positive
from synfiqa.schemas.errors import UserError

CALIBRATE = (
    option("--embedder", required=True, metavar="NAME", help="recognition network, such as bundled-a or one of yours"),
    option("--data", required=True, metavar="PATH", help="run (its degraded samples), or folder of 112 x 112 faces"),
    option("--out", required=True, metavar="FILE", help="file to write, .froq.json"),
    option(
        "--mode",
        choices=("improved", "released"),
        default="improved",
        help="z-normalised, signed norms (default: improved), or raw ones as the authors released it",
    ),
    option("--images", type=positive, default=300, metavar="N", help="faces to calibrate on (default: 300)"),
    option("--seed", type=int, default=0, metavar="N", help="of the choice of faces and the noise (default: 0)"),
    option("--channels", metavar="ORDER", help="such as 2,0,1: R, G, B in this order, not that of the card"),
    option("--catalogue", default="", metavar="CATALOGUE", help="models.yaml with own cards"),
)


def calibrate(options: argparse.Namespace) -> None:
    """Write the calibration file and print the chosen modules with their correlations."""
    out = local_path(options.out).expanduser()
    from synfiqa.actors.quality.registry import FROQ_SUFFIX

    if not out.name.endswith(FROQ_SUFFIX):
        raise UserError(f"--out {options.out} must end with {FROQ_SUFFIX}, by which `score --model` recognises it")
    from synfiqa.jobs.workflows.froq_calibration import run_calibration

    run_calibration(options, out)


COMMAND = CommandGroup(
    "froq",
    "calibrate FROQ, a quality scorer without training, on unlabelled faces",
    (Command("calibrate", "choose layers of a network by pseudo-labels and write a file", CALIBRATE, calibrate),),
)


if __name__ == "__main__":
    COMMAND.main()
