"""Command `leaderboard`: compare scorers on test sets under several judges, as one page."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import SCORES, SET, config_of_run, local_path
from synfiqa.jobs.terminal.output import say

OPTIONS = (
    option("config", metavar="CONFIG", help="leaderboard config, such as configs/leaderboard.yaml"),
    option("--run", metavar="URL", required=True, help="run folder or fsspec URL"),
    option("--out", metavar="DIR", required=True, help="folder for leaderboard.md, .html and .json"),
    option(
        "--on", action="append", default=[], metavar="NAME=PATH", help="test set; repeatable, beside those of CONFIG"
    ),
    SCORES,
    option("--quick", action="store_true", help="fewer identities and resamples, never fewer scorers"),
    SET,
)


def leaderboard(options: argparse.Namespace) -> None:
    """Measure every scorer on every set and write the page, and print where it is."""
    from synfiqa.jobs.config import load_sections
    from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig

    config = load_sections(options.config, LeaderboardConfig, options.set)
    recorded = config_of_run(options.run, [])
    folder = local_path(options.out)
    from synfiqa.jobs.workflows.leaderboard_files import run_leaderboard

    found = run_leaderboard(config, recorded, options.on, folder, quick=options.quick, scores=options.scores)
    for path in found:
        say(str(path))


COMMAND = Command("leaderboard", "compare scorers on test sets under several judges, as one page", OPTIONS, leaderboard)


if __name__ == "__main__":
    COMMAND.main()
