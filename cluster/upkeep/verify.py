"""Reading everything that a run has committed and naming all that is not as it was committed.

One shard is in memory per thread. Rows are compared with the plan as well, so that a row that is missing, doubled or in
the wrong shard is found even where every checksum is right.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ValidationError

from synfiqa.cluster.commits.dataset_summary import SUMMARY, summarise
from synfiqa.cluster.commits.shard_store import STEM, Kind, commit_path, parse_commit_path
from synfiqa.cluster.run.file_roles import CALIBRATION, GENERATION, MODEL_FILE, role_of
from synfiqa.cluster.run.fingerprint import recipe_fingerprint
from synfiqa.cluster.run.lease import newest_lease
from synfiqa.cluster.run.manifest import MANIFEST, OtherVersion, load_run, planned_shards
from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify_unit import Problem, UnitFindings, check_file, check_ledger, check_unit, path_of
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import Commit, DataFile, DatasetSummary, RunManifest
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.rows import SCHEMA_VERSION

Progress = Callable[[int, int], None]
"""Called with files done and files to read."""


@dataclass
class Verification:
    """What a look at everything found. Notes are no damage: work that is not finished yet, labels that grew old."""

    summary: DatasetSummary
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leftovers: Counter[str] = field(default_factory=Counter)
    leftover_bytes: int = 0
    files: int = 0
    bytes: int = 0


def verify_run(storage: Storage, threads: int = 0, progress: Progress | None = None) -> Verification:
    """Read all that commits, calibrations and model cards name; UserError when the folder is no run."""
    entries = [entry for entry in storage.stat() if not GENERATION.fullmatch(entry.path)]
    paths = {entry.path for entry in entries}
    if MANIFEST not in paths:
        # Says what to do; a run whose manifest is there but broken is damage instead.
        load_run(storage)
    manifest, problems = _manifest(storage)
    problems += [
        Problem(path, "foreign", "no rule of a run folder explains this file; move it elsewhere")
        for path in sorted(paths)
        if role_of(path) is None
    ]
    commits, broken = _commits(storage, sorted(path for path in paths if parse_commit_path(path)), manifest)
    problems += broken
    newest = _newest(commits)
    result = Verification(summarise(_of(newest, "identities"), _of(newest, "samples")), problems)
    result.problems += _doubled(commits) + _gaps(commits) + _beyond_plan(commits, manifest)
    named = {file.path for commit in commits for file in (commit.file, commit.dead) if file}
    calibrations, unreadable = _calibrations(storage, paths, manifest)
    result.problems += unreadable
    named |= {part.path for calibration in calibrations.values() for part in calibration.parts}

    tasks: list[Callable[[], UnitFindings]] = [partial(check_unit, storage, commit, manifest) for commit in commits]
    tasks += [partial(_part, storage, part) for calibration in calibrations.values() for part in calibration.parts]
    tasks += [partial(_model, storage, name) for name in _models(paths)]
    ledger: list[np.ndarray] = []
    for done, found in enumerate(_in_threads(tasks, threads), start=1):
        result.problems += found.problems
        result.bytes += found.bytes
        if found.candidates is not None:
            ledger.append(found.candidates)
        if progress is not None:
            progress(done, len(tasks))
    result.files = len(tasks)
    result.problems += check_ledger(ledger, manifest)
    _compare_with_plan(storage, result, entries, newest, manifest)
    result.notes += [
        f"labels '{name}' are older than the newest shards: choose another label.name and run `synfiqa label`"
        for name, calibration in calibrations.items()
        if calibration.dataset_sha256 != result.summary.digest
    ]
    _count_leftovers(result, entries, named)
    result.problems.sort()
    return result


def _manifest(storage: Storage) -> tuple[RunManifest | None, list[Problem]]:
    try:
        manifest = load_run(storage)
    except OtherVersion:
        # Nothing is damaged; the program that made it can verify it.
        raise
    except UserError as error:
        return None, [Problem(MANIFEST, "unreadable", str(error))]
    if recipe_fingerprint(manifest.recipe) != manifest.fingerprint:
        text = "its recipe does not have its fingerprint: it was edited; restore it from a copy"
        return None, [Problem(MANIFEST, "damaged", text)]
    return manifest, []


def _commits(storage: Storage, paths: list[str], manifest: RunManifest | None) -> tuple[list[Commit], list[Problem]]:
    commits: list[Commit] = []
    problems: list[Problem] = []
    for path, data in zip(paths, storage.read_many(paths), strict=True):
        try:
            commit = Commit.model_validate_json(data)
        except ValidationError as error:
            kind = "counts" if "planned must be" in str(error) else "unreadable"
            problems.append(Problem(path, kind, f"{_first(error)}; restore it from a copy"))
            continue
        if commit_path(commit.kind, commit.number, commit.revision) != path:
            text = f"it says it is {commit.kind} {commit.number} revision {commit.revision}; restore it from a copy"
            problems.append(Problem(path, "misnamed", text))
            continue
        # The path is data of a file that anybody may have edited: it must not lead anywhere else.
        stem = f"{STEM[commit.kind]}-{commit.number:06d}-"
        strange = [
            file.path
            for file, folder, role in ((commit.file, commit.kind, "data"), (commit.dead, "dead", "dead rows"))
            if file and not (file.path.startswith(f"{folder}/{stem}") and role_of(file.path) == role)
        ]
        if strange:
            problems.append(Problem(path, "misnamed", f"it names {strange[0]}, which is no file of its own"))
            continue
        if manifest is not None and commit.fingerprint != manifest.fingerprint:
            text = f"it was made by another recipe ({commit.fingerprint[:12]}, the run is {manifest.fingerprint[:12]})"
            problems.append(Problem(path, "mixed", text))
            continue
        if commit.schema_version != SCHEMA_VERSION:
            text = f"its rows have schema version {commit.schema_version}, this program knows {SCHEMA_VERSION}"
            problems.append(Problem(path, "mixed", text))
            continue
        commits.append(commit)
    return commits, problems


def _newest(commits: Iterable[Commit]) -> dict[tuple[Kind, int], Commit]:
    newest: dict[tuple[Kind, int], Commit] = {}
    for commit in sorted(commits, key=lambda commit: (commit.kind, commit.number, commit.revision)):
        newest[commit.kind, commit.number] = commit
    return newest


def _of(newest: dict[tuple[Kind, int], Commit], kind: Kind) -> list[Commit]:
    return [commit for (own, _), commit in newest.items() if own == kind]


def _doubled(commits: Iterable[Commit]) -> list[Problem]:
    owners: dict[str, str] = {}
    problems = []
    for commit in commits:
        for file in (commit.file, commit.dead):
            if file is None:
                continue
            first = owners.setdefault(file.path, path_of(commit))
            if first != path_of(commit):
                problems.append(Problem(file.path, "duplicate", f"two commits name it, {first} and {path_of(commit)}"))
    return problems


def _gaps(commits: Iterable[Commit]) -> list[Problem]:
    """Name commits that must exist because later ones do: earlier revisions, and earlier units of the ledger."""
    present = {(commit.kind, commit.number, commit.revision) for commit in commits}
    needed = {(kind, number, lower) for kind, number, revision in present for lower in range(revision)}
    units = [number for kind, number, _ in present if kind == "identities"]
    needed |= {("identities", number, 0) for number in range(max(units, default=0))}
    return [
        Problem(commit_path(*name), "missing", "later commits are there but this one is not; restore it from a copy")
        for name in sorted(needed - present)
    ]


def _beyond_plan(commits: Iterable[Commit], manifest: RunManifest | None) -> list[Problem]:
    if manifest is None:
        return []
    planned = planned_shards(manifest)
    return [
        Problem(path_of(commit), "out-of-plan", f"the run has {planned} shards, numbered from 0")
        for commit in commits
        if commit.kind == "samples" and commit.number >= planned
    ]


def _in_threads(tasks: list[Callable[[], UnitFindings]], threads: int) -> Iterator[UnitFindings]:
    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        futures: list[Future[UnitFindings]] = [pool.submit(task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _calibrations(
    storage: Storage, paths: set[str], manifest: RunManifest | None
) -> tuple[dict[str, Calibration], list[Problem]]:
    found: dict[str, Calibration] = {}
    problems: list[Problem] = []
    for path in sorted(paths):
        if not (match := CALIBRATION.fullmatch(path)):
            continue
        calibration = _parsed(storage, path, Calibration, problems)
        if calibration is None:
            continue
        if manifest is not None and calibration.fingerprint != manifest.fingerprint:
            problems.append(Problem(path, "mixed", "it belongs to another run; remove it and run `synfiqa label`"))
        if strange := [part.path for part in calibration.parts if role_of(part.path) != "label part"]:
            problems.append(Problem(path, "misnamed", f"it names {strange[0]}, which is no label part"))
            continue
        found[match[1]] = calibration
    return found, problems


def _models(paths: set[str]) -> list[str]:
    return sorted({match[1] for path in paths if (match := MODEL_FILE.fullmatch(path)) and path.endswith("model.yaml")})


def _part(storage: Storage, part: DataFile) -> UnitFindings:
    return check_file(storage, part)[1]


def _model(storage: Storage, name: str) -> UnitFindings:
    """Compare the weights of a model with the digest on its card."""
    weights, card = f"models/{name}/model.safetensors", f"models/{name}/model.yaml"
    try:
        fields: Any = yaml.safe_load(storage.read(card))
        stated = ModelCard.model_validate(fields).sha256
    except (yaml.YAMLError, ValueError) as error:
        reason = _first(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        return UnitFindings(
            [Problem(card, "unreadable", f"{reason}; restore it, or train again under another train.name")]
        )
    try:
        data = storage.read(weights)
    except FileNotFoundError:
        return UnitFindings([Problem(weights, "missing", "its card is there but the weights are gone; restore them")])
    if hashlib.sha256(data).hexdigest() != stated:
        text = "its SHA-256 differs from the one on its card; restore it, or train again under another train.name"
        return UnitFindings([Problem(weights, "damaged", text)], len(data))
    return UnitFindings(bytes=len(data))


def _compare_with_plan(
    storage: Storage,
    result: Verification,
    entries: list[Entry],
    newest: dict[tuple[Kind, int], Commit],
    manifest: RunManifest | None,
) -> None:
    """Compare the totals with `dataset.json`, and say what an unfinished run still lacks."""
    if manifest is None:
        return
    times = {entry.path: entry.modified for entry in entries}
    planned = planned_shards(manifest)
    missing = [number for number in range(planned) if commit_path("samples", number) not in times]
    stated = _parsed(storage, SUMMARY, DatasetSummary, result.problems) if SUMMARY in times else None
    latest = max((time for path, time in times.items() if parse_commit_path(path)), default=0.0)
    lease = newest_lease(storage)
    driven = lease is not None and lease.held
    if stated is None:
        if missing:
            result.notes.append(
                f"unfinished: {len(missing)} of {planned} shards are not committed yet, which is no damage; "
                + ("a driver is at it" if driven else "run the same command again")
            )
        return
    if stated.digest == result.summary.digest:
        return
    # Commits only ever become more, so a summary may be behind them but never ahead.
    ahead = stated.shards > result.summary.shards or stated.planned > result.summary.planned
    if not ahead and (driven or latest > times[SUMMARY]):
        result.notes.append(f"{SUMMARY} is older than the newest commits: run the same command again to renew it")
        return
    gone = f"{SUMMARY} says the run was finished, but this commit is gone; restore it, or run the same command again"
    result.problems += [Problem(commit_path("samples", number), "missing", gone) for number in missing]
    text = f"it says the Merkle root is {stated.digest}, the commits have {result.summary.digest}"
    result.problems.append(Problem(SUMMARY, "mismatch", text))


def _count_leftovers(result: Verification, entries: list[Entry], named: set[str]) -> None:
    for entry in entries:
        role = role_of(entry.path)
        leaving = role in ("data", "dead rows", "label part") and entry.path not in named
        if leaving or role in ("unfinished write", "attempt mark"):
            result.leftovers[str(role)] += 1
            result.leftover_bytes += entry.bytes


def _parsed[R: BaseModel](storage: Storage, path: str, model: type[R], problems: list[Problem]) -> R | None:
    try:
        return model.model_validate_json(storage.read(path))
    except FileNotFoundError:
        problems.append(Problem(path, "missing", "it vanished while it was read"))
    except ValidationError as error:
        problems.append(Problem(path, "unreadable", f"{_first(error)}; restore it from a copy"))
    return None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "content"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
