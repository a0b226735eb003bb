"""Removes uncommitted leftovers of crashed attempts and of lost races from a run folder, and prints them."""

import re
from collections import Counter

from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.garbage import collect_garbage
from synfiqa.jobs.terminal.output import say
from synfiqa.jobs.terminal.sizes import size_text
from synfiqa.schemas.errors import UserError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def run_gc(storage: Storage, older_than: str = "24h", *, dry_run: bool = False) -> None:
    """Remove the garbage of the run that is older than a span such as `24h`, and print what and how much it was."""
    seconds = span_seconds(older_than)
    load_run(storage, any_version=True)
    # Each deletion is one request: threads hide the latency of a store, a disk has none.
    found = collect_garbage(storage, seconds, dry_run=dry_run, threads=1 if storage.local() else 16)
    verb = "would remove" if dry_run else "removed"
    for garbage in found.garbage:
        say(f"{verb} {garbage.path} ({size_text(garbage.bytes)}, {garbage.kind})")
    kinds = Counter(garbage.kind for garbage in found.garbage)
    total = sum(garbage.bytes for garbage in found.garbage)
    what = ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common())
    say(f"{verb} {len(found.garbage)} objects, {size_text(total)}{f': {what}' if what else ''}")
    if found.young:
        say(f"{found.young} uncommitted objects are younger than {older_than} and stay: they may belong to a driver")


def span_seconds(text: str) -> float:
    """Return the seconds of a span such as `90`, `90s`, `30m`, `24h` or `7d`; UserError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None:
        raise UserError(f"--older-than {text!r} is not a span of time: give a number with s, m, h or d, such as 24h")
    return float(match[1]) * _UNITS[match[2] or "s"]
