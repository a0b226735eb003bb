"""Command `bootstrap`: train every bundled network again, from nothing but this code."""

import argparse

from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import local_path


def bootstrap(options: argparse.Namespace) -> None:
    """Train the chosen networks and print their digests and figures."""
    out = local_path(options.out) if options.out else None
    # A student alone needs Ray where its run has to be generated.
    if options.part in ("all", "quality") or (options.part == "student" and not options.run):
        require_address()
    from synfiqa.jobs.workflows.bundled_networks import run_bootstrap

    run_bootstrap(out, options.seed, options.part, options.teacher, options.run)


COMMAND = Command(
    "bootstrap",
    "train every bundled network again from our own renders",
    (
        option("--out", metavar="DIR", help="folder for all weights and cards (default: those of this checkout)"),
        option(
            "--part",
            choices=("all", "networks", "quality", "student", "dsl"),
            default="all",
            help="what to train, in the order of all (default: all)",
        ),
        option("--teacher", default="dlib", metavar="NAME", help="embedder that a student learns from (default: dlib)"),
        option("--run", default="", metavar="URL", help="run whose faces a student learns on (default: quality's)"),
        option("--seed", type=int, default=0, metavar="N", help="seed of renders and training (default: 0)"),
    ),
    bootstrap,
)


if __name__ == "__main__":
    COMMAND.main()
