"""Finds and removes the files of a run folder that no commit names.

Only this module deletes data. A losing writer leaves its file in place, because on a store without create-if-absent its
delayed commit may still arrive and name the file.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import ValidationError

from synfiqa.cluster.commits.shard_store import parse_commit_path
from synfiqa.cluster.run.file_roles import CALIBRATION, EPOCH, GENERATION, LABEL_PART, Role, role_of
from synfiqa.cluster.run.lease_record import newest_lease
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit

DEFAULT_AGE_S = 24 * 3600.0
"""The age guard: younger files are kept."""

_KINDS: dict[Role, str] = {
    "unfinished write": "unfinished write",
    "data": "uncommitted data",
    "dead rows": "uncommitted dead rows",
    "attempt mark": "attempt mark",
    "lease": "past lease",
    "label part": "unused label part",
    "commit index": "past commit index",
    "event": "past failure of a worker",
}


@dataclass(frozen=True)
class Garbage:
    """Object that can be removed: path, length, kind."""

    path: str
    bytes: int
    kind: str


@dataclass(frozen=True)
class Collection:
    """Result of a collection: removed (or removable) objects, and the number of those that are too young."""

    garbage: list[Garbage]
    young: int


def collect_garbage(
    storage: Storage, older_than_s: float = DEFAULT_AGE_S, *, dry_run: bool = False, threads: int = 1
) -> Collection:
    """Remove files older than `older_than_s` by the store's clock that no commit names; return them.

    Committed and foreign files are always kept. UserError when the age is too short while a driver holds the run;
    JobFailed when a commit is unreadable, because the files that it names are unknown.
    """
    found = find_garbage(storage, older_than_s)
    if not dry_run:
        paths = [garbage.path for garbage in found.garbage]
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(storage.delete, paths))
        else:
            for path in paths:
                storage.delete(path)
        storage.prune("attempts")
    return found


def find_garbage(storage: Storage, older_than_s: float = DEFAULT_AGE_S) -> Collection:
    """Return what `collect_garbage` would remove.

    Assumes that no upload waits for its commit longer than `older_than_s`.
    """
    # The order of the reads makes it safe. The clock comes first, so that no file looks older than it is. Files come
    # before the lease: a driver takes the lease before its first upload, so the writer of a listed file is seen.
    # Commits come last: a listed file that is committed during the collection is named by the time they are read.
    # What remains is a writer suspended between upload and commit for longer than the age guard: it checks for its
    # data after the commit and uploads them again, unless it resumes during the collection; hence the assumption above.
    now = storage.now()
    entries = [entry for entry in storage.stat() if not GENERATION.fullmatch(entry.path)]
    _require_patience(storage, older_than_s)
    removable = [(entry, kind) for entry in entries if (kind := _kind(entry.path))]
    keep = committed_paths(storage) | _label_parts(storage, [entry.path for entry, _ in removable])
    newest = max((int(name[1]) for entry in entries if (name := EPOCH.fullmatch(entry.path))), default=0)
    keep.add(f"lease/{newest:06d}.json")
    # Readers use the newest one; without any they read the commits themselves.
    indexes = [(entry.modified, entry.path) for entry in entries if role_of(entry.path) == "commit index"]
    keep.update(path for _, path in sorted(indexes)[-1:])
    garbage, young = [], 0
    for entry, kind in removable:
        if entry.path in keep:
            continue
        if now - entry.modified >= older_than_s:
            garbage.append(Garbage(entry.path, entry.bytes, kind))
        else:
            young += 1
    return Collection(garbage, young)


def committed_paths(storage: Storage) -> set[str]:
    """Return every data file named by a commit of any revision; JobFailed when a commit cannot be read."""
    paths = [path for path in storage.list("commits") if parse_commit_path(path)]
    named: set[str] = set()
    for path, data in zip(paths, storage.read_many(paths), strict=True):
        try:
            commit = Commit.model_validate_json(data)
        except ValidationError as error:
            raise JobFailed(
                f"{storage.uri(path)} is not readable, so the files that it names are unknown: "
                "nothing was removed; see `synfiqa verify`"
            ) from error
        # A driver that was killed has left out some followers, which the next one creates.
        for one in (commit, *commit.followers):
            named.update(file.path for file in (one.file, one.dead) if file is not None)
    return named


def _kind(path: str) -> str | None:
    role = role_of(path)
    return _KINDS.get(role) if role else None


def _label_parts(storage: Storage, candidates: list[str]) -> set[str]:
    """Return the label parts among the candidates that must be kept: those named by a pass, or of an unfinished one."""
    # Parts are named by content, so a running pass may reuse a part that an earlier attempt has left behind.
    keep: set[str] = set()
    parts = [(path, match[1]) for path in candidates if (match := LABEL_PART.fullmatch(path))]
    for name in sorted({own for _, own in parts}):
        try:
            paths = [path for path in storage.list(f"labels/{name}") if CALIBRATION.fullmatch(path)]
            passes = [Calibration.model_validate_json(data) for data in storage.read_many(paths)]
        except (FileNotFoundError, ValidationError):
            passes = []
        if passes:
            keep.update(part.path for calibration in passes for part in calibration.parts)
        else:
            keep.update(path for path, own in parts if own == name)
    return keep


def _require_patience(storage: Storage, older_than_s: float) -> None:
    lease = newest_lease(storage)
    if lease is None or lease.record is None or not lease.held:
        return
    least = 2 * lease.record.ttl_s
    if older_than_s < least:
        raise UserError(
            f"{storage.uri()} is held by {lease.holder()}: files younger than {least:g} s may belong to it; "
            f"give --older-than {least:g}s or more, or wait until it has ended"
        )
