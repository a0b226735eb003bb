"""Reads the commits of a run and compares them with each other and with the plan."""

from collections.abc import Iterable

from pydantic import ValidationError

from synfiqa.cluster.commits.shard_store import STEM, Kind, commit_path
from synfiqa.cluster.run.file_roles import role_of
from synfiqa.cluster.run.manifest import planned_shards
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


def missing_commits(commits: Iterable[Commit]) -> list[Problem]:
    """Return a problem for each missing commit before an existing one: earlier revisions and ledger units."""
    present = {(commit.kind, commit.number, commit.revision) for commit in commits}
    needed = {(kind, number, lower) for kind, number, revision in present for lower in range(revision)}
    units = [number for kind, number, _ in present if kind == "identities"]
    needed |= {("identities", number, 0) for number in range(max(units, default=0))}
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
