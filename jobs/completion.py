"""Command `completion`: print a script that completes the command line in a shell."""

import argparse
from collections.abc import Sequence

from synfiqa.jobs.command import Command, Entry, option
from synfiqa.jobs.shell_completion.places import places
from synfiqa.jobs.shell_completion.scripts import SCRIPTS
from synfiqa.jobs.terminal.output import say

SHELL = option("shell", choices=tuple(SCRIPTS), metavar="SHELL", help=f"one of {', '.join(SCRIPTS)}")


def with_completion(commands: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the commands and `completion`, which completes them and itself."""

    def completion(options: argparse.Namespace) -> None:
        say(SCRIPTS[options.shell](places(everything)).rstrip())

    help_text = "print a script that completes jobs, options and file names in a shell"
    everything = (*commands, Command("completion", help_text, (SHELL,), completion))
    return everything
