"""Reads everything that a run has committed and prints each object that differs from its commit."""

import sys

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.cluster.upkeep.verify import Verification, verify_run
from synfiqa.jobs.terminal.sizes import size_text
from synfiqa.schemas.errors import JobFailed


def run_verify(storage: Storage) -> None:
    """Print every problem, the totals and the Merkle root; JobFailed when there is a problem."""
    phase: list[Phase] = []

    def watch(done: int, planned: int) -> None:
        if not phase:
            phase.append(Phase("verify", planned, "files"))
        phase[0].advance(done - phase[0].done)

    found = verify_run(storage, progress=watch)
    if phase:
        phase[0].close()
    sys.stdout.write("\n".join(verification_lines(found)) + "\n")
    if found.problems:
        raise JobFailed(f"{storage.uri()} has {len(found.problems)} problems, listed above by file and remedy")


def verification_lines(found: Verification) -> list[str]:
    """Return the problems, the notes and the totals as lines."""
    total = found.summary
    lines = [str(problem) for problem in found.problems] + [f"note: {note}" for note in found.notes]
    if found.leftovers:
        what = ", ".join(f"{count} x {name}" for name, count in found.leftovers.most_common())
        size = size_text(found.leftover_bytes)
        lines.append(f"note: {found.leftovers.total()} leftovers of attempts ({what}), {size}: see `synfiqa gc`")
    rejected = sum(total.rejected.values())
    return [
        *lines,
        f"read        {found.files} files, {size_text(found.bytes)}",
        f"candidates  {total.planned} planned = {total.accepted} accepted + {rejected} rejected + {total.dead} dead",
        f"samples     {total.samples_planned} planned = {total.samples} accepted + "
        f"{sum(total.samples_rejected.values())} rejected + {total.samples_dead} dead, "
        f"in {total.shards} shards",
        f"root        {total.digest}{' of what is readable' if found.problems else ''}",
        f"problems    {len(found.problems) or 'none'}",
    ]
