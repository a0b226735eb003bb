"""Reads everything that a run has committed and lists all damage: in threads, or in tasks on the cluster at hand.

Each thread holds one shard in memory. Rows are also compared with the plan, so that a missing, duplicate or misplaced
row is found even where all checksums are right.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

import numpy as np

from synfiqa.cluster.commits.dataset_summary import SUMMARY, summarise
from synfiqa.cluster.commits.shard_store import Kind, commit_path, parse_commit_path
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.run.file_roles import GENERATION, role_of
from synfiqa.cluster.run.fingerprint import recipe_fingerprint
from synfiqa.cluster.run.growth import unfilled
from synfiqa.cluster.run.lease_record import newest_lease
from synfiqa.cluster.run.manifest import MANIFEST, OtherVersion, load_run, planned_shards
from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify_commits import (
    check_indexes,
    commits_beyond_plan,
    commits_of,
    files_named_twice,
    left_out,
    missing_commits,
    newest_commits,
    read_commits,
)
from synfiqa.cluster.upkeep.verify_machines import machine_notes
from synfiqa.cluster.upkeep.verify_record import read_record
from synfiqa.cluster.upkeep.verify_results import check_label_part, check_model, model_names, read_calibrations
from synfiqa.cluster.upkeep.verify_share import FinishedTasks, Sample, Task, chosen, key_of, read_task, unlike_listing
from synfiqa.cluster.upkeep.verify_unit import Problem, UnitFindings, check_ledger, check_unit, path_of
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import Commit, DatasetSummary, RunManifest

Progress = Callable[[int, int], None]
"""Callback with the numbers of finished and of all files."""

THREADS = 4
"""Units that a task on a cluster reads at once, each whole in memory."""


@dataclass
class Verification:
    """Result of a verification; notes are no damage: unfinished work, labels older than the newest shards."""

    summary: DatasetSummary
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leftovers: Counter[str] = field(default_factory=Counter)
    leftover_bytes: int = 0
    files: int = 0
    bytes: int = 0
    all_files: int = 0
    all_bytes: int = 0
    remembered: int = 0


def verify_run(
    storage: Storage,
    threads: int = 0,
    progress: Progress | None = None,
    *,
    sample: Sample | None = None,
    finished: FinishedTasks | None = None,
) -> Verification:
    """Verify all files named by commits, calibrations and model cards; UserError when the folder is no run folder.

    With a `sample` only some are read; the records of all are, and the others must be there in their length. What an
    interrupted verification had `finished` is not read again.
    """
    entries = [entry for entry in storage.stat() if not GENERATION.fullmatch(entry.path)]
    paths = {entry.path for entry in entries}
    if MANIFEST not in paths:
        # Raises UserError with the way out. A manifest that exists but cannot be read is damage instead.
        load_run(storage)
    manifest, problems = _manifest(storage)
    problems += [
        Problem(path, "foreign", "it is no file of a run folder; move it elsewhere")
        for path in sorted(paths)
        if role_of(path) is None
    ]
    commits, broken = read_commits(storage, sorted(path for path in paths if parse_commit_path(path)), manifest)
    problems += broken
    newest = newest_commits(commits)
    result = Verification(summarise(commits_of(newest, "identities"), commits_of(newest, "samples")), problems)
    result.problems += files_named_twice(commits) + missing_commits(commits) + commits_beyond_plan(commits, manifest)
    result.problems += check_indexes(storage, entries, commits)
    result.notes += [
        f"ledger unit {follower.number} was left out when a driver was killed: run the same command again to go on"
        for follower in left_out(commits)
    ]
    recorded = [*commits, *left_out(commits)]
    named = {file.path for commit in recorded for file in (commit.file, commit.dead) if file}
    calibrations, unreadable = read_calibrations(storage, paths, manifest)
    result.problems += unreadable
    named |= {part.path for calibration in calibrations.values() for part in calibration.parts}

    tasks = _tasks(storage, commits, calibrations, paths, entries, manifest)
    here = partial(_in_threads, threads=threads)
    run = partial(ShardTasks("verify", storage, threads=THREADS).map, read_task, here=here, ordered=False)
    _read(result, tasks, entries, manifest, run, progress, sample, finished)
    _compare_with_plan(storage, result, entries, newest, manifest)
    result.notes += [
        f"labels '{name}' are older than the newest shards: run `synfiqa label --frozen`, or choose another label.name"
        for name, calibration in calibrations.items()
        if calibration.dataset_sha256 != result.summary.digest
    ]
    result.notes += machine_notes(newest)
    _count_leftovers(result, entries, named)
    result.problems.sort()
    return result


def _tasks(
    storage: Storage,
    commits: list[Commit],
    calibrations: Mapping[str, Calibration],
    paths: set[str],
    entries: list[Entry],
    manifest: RunManifest | None,
) -> list[Task]:
    """Return everything that there is to read: units in order, then label parts, then models."""
    times = {entry.path: entry.modified for entry in entries}
    steps = manifest.steps if manifest else ()
    latest = {path_of(commit) for commit in newest_commits(commits).values()}
    tasks = []
    for commit in commits:
        files = tuple(file for file in (commit.file, commit.dead) if file)
        path = path_of(commit)
        key = key_of(path, f"{commit.model_dump_json()} {steps} {path in latest}", files, times)
        tasks.append(Task(path, files, key, partial(check_unit, storage, commit, manifest, latest=path in latest)))
    for part in (part for calibration in calibrations.values() for part in calibration.parts):
        key = key_of(part.path, part.sha256, (part,), times)
        tasks.append(Task(part.path, (part,), key, partial(check_label_part, storage, part)))
    # Weights are few, and their digest stands in a card, so that no record of them is kept.
    return tasks + [Task(name, (), "", partial(check_model, storage, name)) for name in model_names(paths)]


def _read(
    result: Verification,
    tasks: list[Task],
    entries: list[Entry],
    manifest: RunManifest | None,
    run: Callable[[list[Task]], Iterator[tuple[str, UnitFindings]]],
    progress: Progress | None,
    sample: Sample | None,
    finished: FinishedTasks | None,
) -> None:
    """Read the tasks, or the sample of them, and add what is found to the result."""
    wanted = tasks if sample is None else chosen(tasks, sample)
    named = {file.path for task in wanted for file in task.files}
    sizes = {entry.path: entry.bytes for entry in entries}
    left_out = [file for task in tasks for file in task.files if file.path not in named]
    result.problems += unlike_listing(left_out, sizes)
    known = {task.key: found for task in wanted if finished and task.key and (found := finished.get(task.key))}
    result.remembered = len(known)

    ledger: list[np.ndarray] = []
    read = run([task for task in wanted if task.key not in known])
    for done, (key, found) in enumerate(chain(known.items(), read), start=1):
        if finished and key and key not in known:
            finished.add(key, found)
        result.problems += found.problems
        result.bytes += found.bytes
        if found.candidates is not None:
            ledger.append(found.candidates)
        if progress is not None:
            progress(done, len(wanted))
    result.files, result.all_files = len(wanted), len(tasks)
    result.all_bytes = sum(file.bytes for task in tasks for file in task.files)
    result.problems += check_ledger(ledger, manifest, whole=sample is None)


def _manifest(storage: Storage) -> tuple[RunManifest | None, list[Problem]]:
    try:
        manifest = load_run(storage)
    except OtherVersion:
        # Nothing is damaged: the version that made the run can verify it.
        raise
    except UserError as error:
        return None, [Problem(MANIFEST, "unreadable", str(error))]
    if recipe_fingerprint(manifest.recipe) != manifest.fingerprint:
        text = "its recipe does not have its fingerprint: it was edited; restore it from a copy"
        return None, [Problem(MANIFEST, "damaged", text)]
    return manifest, []


def _in_threads[K, T](function: Callable[[K], T], items: Iterable[K], threads: int) -> Iterator[T]:
    threads = threads or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        rest = (pool.submit(function, item) for item in items)
        pending = set(islice(rest, 2 * threads))
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                # Results before an error, so that they are recorded.
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    yield future.result()
                pending |= set(islice(rest, len(done)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _compare_with_plan(
    storage: Storage,
    result: Verification,
    entries: list[Entry],
    newest: dict[tuple[Kind, int], Commit],
    manifest: RunManifest | None,
) -> None:
    """Compare the totals with `dataset.json`, and note the missing shards of an unfinished run."""
    if manifest is None:
        return
    times = {entry.path: entry.modified for entry in entries}
    planned = planned_shards(manifest)
    missing = [number for number in range(planned) if commit_path("samples", number) not in times]
    stated = read_record(storage, SUMMARY, DatasetSummary, result.problems) if SUMMARY in times else None
    latest = max((time for path, time in times.items() if parse_commit_path(path)), default=0.0)
    lease = newest_lease(storage)
    driven = lease is not None and lease.held
    growing = stated is not None and stated.accepted < manifest.identities
    if stated is None or growing:
        left = len(missing) + len(unfilled(commits_of(newest, "samples"), manifest))
        if left:
            result.notes.append(
                f"unfinished: {left} of {planned} shards are not committed yet, which is no damage; "
                + ("a driver is running" if driven else "run the same command again")
            )
        return
    if stated.digest == result.summary.digest:
        return
    # Commits are only added, so a summary may be behind them but never ahead.
    ahead = stated.shards > result.summary.shards or stated.planned > result.summary.planned
    if not ahead and (driven or latest > times[SUMMARY]):
        result.notes.append(f"{SUMMARY} is older than the newest commits: run the same command again to renew it")
        return
    gone = f"{SUMMARY} records a finished run, but this commit is gone; restore it, or run the same command again"
    result.problems += [Problem(commit_path("samples", number), "missing", gone) for number in missing]
    text = f"its Merkle root is {stated.digest}, the commits have {result.summary.digest}; run the same command again"
    result.problems.append(Problem(SUMMARY, "mismatch", text))


def _count_leftovers(result: Verification, entries: list[Entry], named: set[str]) -> None:
    for entry in entries:
        role = role_of(entry.path)
        unnamed = role in ("data", "dead rows", "label part") and entry.path not in named
        if unnamed or role in ("unfinished write", "attempt mark"):
            result.leftovers[str(role)] += 1
            result.leftover_bytes += entry.bytes
