"""Command `verify`: read everything that a run has committed and name all damage."""

import argparse

from synfiqa.cluster.pipeline.ray_session import cluster_session
from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.cluster.run.generations import current
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import RUN, run_url


def verify(options: argparse.Namespace) -> None:
    """Print every problem, the totals and the dataset digest; exit code 1 when there is a problem."""
    require_address()
    from synfiqa.cluster.upkeep.verify_share import Sample
    from synfiqa.jobs.terminal.verification_text import run_verify

    sample = Sample(**options.sample, seed=options.seed) if options.sample else None
    with cluster_session():
        run_verify(current(run_url(options)), sample, again=options.again)


def share(text: str) -> dict[str, float]:
    """Return the `number` or `percent` that N or P% stands for, for `type` of an option."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = 0.0
    percent = text.endswith("%")
    if not 0 < value <= (100 if percent else 10**12) or not (percent or value.is_integer()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of files such as 20 nor a share such as 5%")
    return {"percent": value} if percent else {"number": int(value)}


COMMAND = Command(
    "verify",
    "read everything a run has committed and name all damage",
    (
        *RUN,
        option("--sample", type=share, metavar="SHARE", help="read only so many files or percent, spread over the run"),
        option("--seed", type=int, default=0, metavar="N", help="which files --sample reads (default 0)"),
        option("--again", action="store_true", help="read all, also what an interrupted verification had read"),
    ),
    verify,
)


if __name__ == "__main__":
    COMMAND.main()
