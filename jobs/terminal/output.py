"""Lines of a command on standard output."""

import sys


def say(text: str) -> None:
    """Write one line at once, also where standard output is a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
