"""Command `gc`: remove what crashed attempts left in a run folder, never anything committed."""

import argparse

from synfiqa.cluster.run.generations import current
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import RUN, run_url


def gc(options: argparse.Namespace) -> None:
    """Remove the leftovers that are older than the age guard, or only list them."""
    from synfiqa.jobs.terminal.garbage_text import run_gc

    run_gc(current(run_url(options)), options.older_than, dry_run=options.dry_run)


COMMAND = Command(
    "gc",
    "remove what crashed attempts left in a run, never anything committed",
    (
        *RUN,
        option("--older-than", default="24h", metavar="SPAN", help="age guard such as 90s, 30m, 24h (default), 7d"),
        option("--dry-run", action="store_true", help="only list what would be removed"),
    ),
    gc,
)


if __name__ == "__main__":
    COMMAND.main()
