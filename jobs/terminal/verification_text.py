"""Reads everything that a run has committed and prints each object that differs from its commit."""

import hashlib
import sys
from pathlib import Path

from synfiqa.actors.model_store.cache import cache_folder
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.cluster.upkeep.verify import Verification, verify_run
from synfiqa.cluster.upkeep.verify_share import FinishedTasks, Sample
from synfiqa.jobs.terminal.sizes import size_text
from synfiqa.schemas.errors import JobFailed


def run_verify(storage: Storage, sample: Sample | None = None, *, again: bool = False) -> None:
    """Print every problem, the totals and the Merkle root; JobFailed when there is a problem.

    A full verification goes on where one of this run was interrupted on this machine, unless `again`.
    """
    finished = None if sample else FinishedTasks(_record_of(storage), again=again)
    phase: list[Phase] = []

    def watch(done: int, planned: int) -> None:
        if not phase:
            phase.append(Phase("verify", planned, "files"))
        phase[0].advance(done - phase[0].done)

    found = verify_run(storage, progress=watch, sample=sample, finished=finished)
    if finished:
        finished.end()
    if phase:
        phase[0].close()
    sys.stdout.write("\n".join(verification_lines(found)) + "\n")
    if found.problems:
        raise JobFailed(f"{storage.uri()} has {len(found.problems)} problems, listed above by file and remedy")


def _record_of(storage: Storage) -> Path:
    return cache_folder() / "verify" / f"{hashlib.sha256(storage.url.encode()).hexdigest()[:32]}.jsonl"


def _share_text(found: Verification) -> str:
    text = f"{found.files} files, {size_text(found.bytes)}"
    if found.files < found.all_files:
        share = 100 * found.files / found.all_files
        text = f"a sample of {found.files} of {found.all_files} files ({share:.3g} %), {size_text(found.bytes)} of "
        text += f"{size_text(found.all_bytes)}; of the others only that they are there in their length"
    if found.remembered:
        text += f"; {found.remembered} of them by a verification that was interrupted (--again reads all)"
    return text


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
        f"read        {_share_text(found)}",
        f"candidates  {total.planned} planned = {total.accepted} accepted + {rejected} rejected + {total.dead} dead",
        f"samples     {total.samples_planned} planned = {total.samples} accepted + "
        f"{sum(total.samples_rejected.values())} rejected + {total.samples_dead} dead, "
        f"in {total.shards} shards",
        f"root        {total.digest}{' of what is readable' if found.problems else ''}",
        f"problems    {len(found.problems) or 'none'}",
    ]
