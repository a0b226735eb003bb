"""`python -m tests.documented`: runs the documented commands in a fresh copy of the checkout, one line a command.

Exit code 1 when one of them fails. Needs no network. Random weights at full size are made once in the cache folder.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.documented.commands.fixtures import copy_checkout, environment, write_fixtures, write_shims
from tests.documented.commands.registry import Entry, entries
from tests.documented.commands.run import LIMIT_S, run
from tests.stores import servers

TAIL = 40
"""Lines of a failed command's output that are shown."""


def chosen(only: str) -> list[Entry]:
    """Return the commands that contain the text, and before them those that they build on."""
    listed = [entry for entry in entries() if entry.line]
    wanted = {entry.command for entry in listed if only in entry.command}
    for entry in reversed(listed):
        if entry.command in wanted:
            wanted.update(entry.after)
    return [entry for entry in listed if entry.command in wanted]


def list_all() -> None:
    """Print what becomes of each command."""
    for entry in entries():
        what = f"ci: {entry.ci}" if entry.ci else f"not run ({entry.last}): {entry.not_run}" if entry.not_run else "run"
        _say(f"{entry.command.splitlines()[-1]}\n    {what}{' (small)' if entry.small else ''}")


def run_all(wanted: list[Entry], folder: Path, limit: float) -> list[str]:
    """Run the commands in a copy below the folder; return those that failed."""
    checkout, shims = copy_checkout(folder / "checkout"), write_shims(folder / "bin")
    write_fixtures(checkout)
    buckets = folder / "buckets"
    buckets.mkdir()
    failed = []
    with servers.rclone(buckets) as store:
        store.make_bucket("datasets")
        access = {"STORE_ENDPOINT": store.endpoint, "STORE_KEY": store.key, "STORE_SECRET": store.secret}
        quiet = {"AWS_EC2_METADATA_DISABLED": "true"}
        for entry in wanted:
            outcome = run(entry, checkout, environment(checkout, shims, **access, **quiet), limit)
            told = " ".join(entry.line.split())
            _say(f"{'ok    ' if outcome.ok else 'FAILED'} {outcome.seconds:6.1f} s  {told}")
            if not outcome.ok:
                failed.append(entry.command)
                _say("".join(f"    {line}\n" for line in outcome.output.splitlines()[-TAIL:]))
    return failed


def main() -> None:
    """Run or list the commands."""
    parser = argparse.ArgumentParser(prog="python -m tests.documented", description="Run the documented commands.")
    parser.add_argument("--only", default="", metavar="TEXT", help="only commands that contain it, and what they need")
    parser.add_argument("--list", action="store_true", help="say what becomes of each command, and run none")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="S", help=f"seconds that a command may take ({LIMIT_S:.0f})"
    )
    options = parser.parse_args()
    if options.list:
        list_all()
        return
    begun, wanted = time.monotonic(), chosen(options.only)
    with tempfile.TemporaryDirectory(prefix="documented") as folder:
        failed = run_all(wanted, Path(folder), options.limit)
    _say(f"{len(wanted) - len(failed)} of {len(wanted)} commands ok in {(time.monotonic() - begun) / 60:.1f} min")
    sys.exit(1 if failed or not wanted else 0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
