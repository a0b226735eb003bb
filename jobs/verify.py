"""Command `verify`: read everything that a run has committed and name all damage."""

import argparse

from synfiqa.cluster.run.generations import current
from synfiqa.jobs.command import Command
from synfiqa.jobs.options import RUN, run_url


def verify(options: argparse.Namespace) -> None:
    """Print every problem, the totals and the dataset digest; exit code 1 when there is a problem."""
    from synfiqa.jobs.terminal.verification_text import run_verify

    run_verify(current(run_url(options)))


COMMAND = Command("verify", "read everything a run has committed and name all damage", RUN, verify)


if __name__ == "__main__":
    COMMAND.main()
