"""Reads the commits of a run and compares them with each other and with the plan."""

from collections.abc import Collection, Iterable

from pydantic import ValidationError

from synfiqa.cluster.commits.commit_index import parse_index
from synfiqa.cluster.commits.shard_store import STEM, Kind, commit_path
from synfiqa.cluster.run.file_roles import role_of
from synfiqa.cluster.run.manifest import planned_shards
from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify_record import first_error
from synfiqa.cluster.upkeep.verify_unit import Problem, path_of
from synfiqa.schemas.manifest import Commit, RunManifest
from synfiqa.schemas.rows import SCHEMA_VERSION


def read_commits(
    storage: Storage, paths: list[str], manifest: RunManifest | None
) -> tuple[list[Commit], list[Problem]]:
    """Return the valid commits among the paths, and the problems of the others."""
    commits: list[Commit] = []
    problems: list[Problem] = []
    for path, data in zip(paths, storage.read_many(paths), strict=True):
        try:
            commit = Commit.model_validate_json(data)
        except ValidationError as error:
            kind = "counts" if "planned must be" in str(error) else "unreadable"
            problems.append(Problem(path, kind, f"{first_error(error)}; restore it from a copy"))
            continue
        if commit_path(commit.kind, commit.number, commit.revision) != path:
            text = (
                f"it is the commit of {commit.kind} {commit.number} revision {commit.revision}; restore it from a copy"
            )
            problems.append(Problem(path, "misnamed", text))
            continue
        # The commit may have been edited: its paths must not lead to other files.
        stem = f"{STEM[commit.kind]}-{commit.number:06d}-"
        strange = [
            file.path
            for file, folder, role in ((commit.file, commit.kind, "data"), (commit.dead, "dead", "dead rows"))
            if file and not (file.path.startswith(f"{folder}/{stem}") and role_of(file.path) == role)
        ]
        if strange:
            problems.append(
                Problem(
                    path, "misnamed", f"it names {strange[0]}, which is not a file of this unit; restore it from a copy"
                )
            )
            continue
        if manifest is not None and commit.fingerprint != manifest.fingerprint:
            text = f"it was made by another recipe ({commit.fingerprint[:12]}, the run is {manifest.fingerprint[:12]})"
            problems.append(Problem(path, "mixed", text))
            continue
        if commit.schema_version != SCHEMA_VERSION:
            text = f"its rows have schema version {commit.schema_version}, this version reads {SCHEMA_VERSION}"
            problems.append(Problem(path, "mixed", text))
            continue
        commits.append(commit)
    return commits, problems


def newest_commits(commits: Iterable[Commit]) -> dict[tuple[Kind, int], Commit]:
    """Return the highest revision of each unit."""
    newest: dict[tuple[Kind, int], Commit] = {}
    for commit in sorted(commits, key=lambda commit: (commit.kind, commit.number, commit.revision)):
        newest[commit.kind, commit.number] = commit
    return newest


def commits_of(newest: dict[tuple[Kind, int], Commit], kind: Kind) -> list[Commit]:
    """Return the commits of one kind."""
    return [commit for (own, _), commit in newest.items() if own == kind]


def files_named_twice(commits: Iterable[Commit]) -> list[Problem]:
    """Return a problem for each data file named by two commits."""
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


def left_out(commits: Collection[Commit]) -> list[Commit]:
    """Return the followers that commits record and that do not exist: a killed driver has not created them yet."""
    present = {commit.number for commit in commits if commit.kind == "identities"}
    return [follower for commit in commits for follower in commit.followers if follower.number not in present]


def check_indexes(storage: Storage, entries: Iterable[Entry], commits: Iterable[Commit]) -> list[Problem]:
    """Return a problem for each index of commits that is damaged, or that differs from the commits themselves."""
    known, problems = {path_of(commit): commit for commit in commits}, []
    listed = list(entries)
    current = set(listed)
    for path in (entry.path for entry in listed if role_of(entry.path) == "commit index"):
        try:
            records = parse_index(path, storage.read(path))
        except FileNotFoundError:
            continue
        except ValueError as error:
            problems.append(Problem(path, "damaged", f"{error}; delete it, which harms nothing"))
            continue
        stale = [
            entry.path
            for entry, record in records.items()
            if entry in current and entry.path in known and Commit.model_validate_json(record) != known[entry.path]
        ]
        if stale:
            text = f"it differs from {len(stale)} commits, such as {stale[0]}; delete it, which harms nothing"
            problems.append(Problem(path, "damaged", text))
    return problems


def missing_commits(commits: Collection[Commit]) -> list[Problem]:
    """Return a problem for each missing commit before an existing one: earlier revisions and ledger units."""
    present = {(commit.kind, commit.number, commit.revision) for commit in commits}
    needed = {(kind, number, lower) for kind, number, revision in present for lower in range(revision)}
    units = [number for kind, number, _ in present if kind == "identities"]
    needed |= {("identities", number, 0) for number in range(max(units, default=0))}
    needed -= {("identities", follower.number, 0) for follower in left_out(commits)}
    return [
        Problem(commit_path(*name), "missing", "later commits exist but this one does not; restore it from a copy")
        for name in sorted(needed - present)
    ]


def commits_beyond_plan(commits: Iterable[Commit], manifest: RunManifest | None) -> list[Problem]:
    """Return a problem for each shard beyond the planned number."""
    if manifest is None:
        return []
    planned = planned_shards(manifest)
    return [
        Problem(path_of(commit), "out-of-plan", f"the run has {planned} shards, numbered from 0")
        for commit in commits
        if commit.kind == "samples" and commit.number >= planned
    ]
