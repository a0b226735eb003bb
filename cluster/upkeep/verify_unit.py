"""Compares a committed unit with its commit and with the plan: bytes, rows, counts, names."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.shard_formats import SUFFIX, Format, content_digest, decode
from synfiqa.cluster.commits.shard_store import commit_path, has_columns
from synfiqa.cluster.run.growth import planned_identities
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.manifest import Commit, DataFile, RunManifest
from synfiqa.schemas.rows import DEAD, sample_id

SHOWN = 3
"""Largest number of rows listed in a problem; the others are only counted."""


@dataclass(frozen=True, order=True)
class Problem:
    """Fault of one object of the run folder."""

    path: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}: {self.text}"


@dataclass
class UnitFindings:
    """Problems of one unit, bytes read, and the ledger rows of an identity unit."""

    problems: list[Problem] = field(default_factory=list)
    bytes: int = 0
    candidates: np.ndarray | None = None
    """Candidate number, 1 if decided, identity or -1; int64 (N, 3), one row for each candidate."""


def check_file(storage: Storage, file: DataFile) -> tuple[bytes | None, UnitFindings]:
    """Return the bytes of a committed file, or None with the problems when they are not as committed."""
    try:
        data = storage.read(file.path)
    except FileNotFoundError:
        return None, UnitFindings([Problem(file.path, "missing", "it is committed but gone; restore it from a copy")])
    found = UnitFindings(bytes=len(data))
    if len(data) != file.bytes:
        kind = "short" if len(data) < file.bytes else "long"
        found.problems.append(Problem(file.path, kind, f"it has {len(data)} of {file.bytes} bytes; restore it"))
    elif hashlib.sha256(data).hexdigest() != file.sha256:
        text = "its SHA-256 differs from the one in its commit; restore it from a copy"
        found.problems.append(Problem(file.path, "damaged", text))
    else:
        return data, found
    return None, found


def check_unit(storage: Storage, commit: Commit, manifest: RunManifest | None, *, latest: bool = True) -> UnitFindings:
    """Compare the rows and dead rows of a unit with its commit, and with the plan if there is a manifest.

    The ledger rows are returned of the latest revision alone: a growth decides candidates of an earlier one further.
    """
    data, found = check_file(storage, commit.file)
    dead: list[str] | None = []
    if commit.dead is not None:
        dead_data, dead_found = check_file(storage, commit.dead)
        found.problems += dead_found.problems
        found.bytes += dead_found.bytes
        dead = None if dead_data is None else _dead_items(commit.dead, dead_data, found)
    table = None if data is None else _rows(commit, data, found)
    if table is None:
        return found
    found.problems += [Problem(path_of(commit), "counts", text) for text in _miscounts(commit, table)]
    if commit.kind == "identities":
        found.candidates = _candidate_rows(table) if latest else None
    elif manifest is not None and dead is not None:
        found.problems += _compare_samples(commit, table, dead, manifest)
    return found


def check_ledger(parts: list[np.ndarray], manifest: RunManifest | None, *, whole: bool = True) -> list[Problem]:
    """Return the problems of the ledger: doubly decided candidates; doubled, missing or unplanned identities.

    None are missed where it is not the `whole` ledger.
    """
    if not parts:
        return []
    rows = np.concatenate(parts)
    decided, identities = rows[rows[:, 1] == 1, 0], rows[rows[:, 2] >= 0, 2]
    problems = []
    for values, what in ((decided, "candidates that are decided twice"), (identities, "identities that exist twice")):
        found, times = np.unique(values, return_counts=True)
        problems += _rows_problem("identities/", "duplicate", what, map(str, found[times > 1].tolist()))
    gaps = sorted(set(range(identities.max() + 1 if len(identities) else 0)) - set(identities.tolist()))
    if whole:
        problems += _rows_problem("identities/", "missing", "identity numbers without a candidate", map(str, gaps))
    if manifest is not None and len(identities) and identities.max() >= manifest.identities:
        text = f"identity {identities.max()} is beyond the {manifest.identities} wanted"
        problems.append(Problem("identities/", "out-of-plan", text))
    return problems


def path_of(commit: Commit) -> str:
    """Return the path of a commit."""
    return commit_path(commit.kind, commit.number, commit.revision)


def _rows(commit: Commit, data: bytes, found: UnitFindings) -> pa.Table | None:
    path = commit.file.path
    format: Format = "webdataset" if path.endswith("." + SUFFIX["webdataset"]) else "parquet"
    try:
        table = decode(data, format)
    except Exception as error:  # a foreign Parquet file or tar raises many kinds of errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        found.problems.append(
            Problem(
                path,
                "unreadable",
                f"its bytes are those committed, but they are no {format} file ({reason}); restore it from a copy",
            )
        )
        return None
    if not has_columns(commit.kind, table.schema):
        found.problems.append(
            Problem(path, "unreadable", f"its columns are not those of {commit.kind}; restore it from a copy")
        )
        return None
    if content_digest(table) != commit.content_sha256:
        text = f"its content digest is not that of the rows in {path}; restore it from a copy"
        found.problems.append(Problem(path_of(commit), "damaged", text))
    return table


def _miscounts(commit: Commit, table: pa.Table) -> Iterator[str]:
    counts = commit.counts
    if commit.file.rows != table.num_rows:
        yield f"it states {commit.file.rows} rows, its file has {table.num_rows}"
    lost = 0 if commit.dead is None else commit.dead.rows
    # Rejected candidates are rows of a ledger unit's file; rejected samples are not rows of a shard.
    counted = counts.get("dead", 0) + (counts.get("rejected", 0) if commit.kind == "samples" else 0)
    if counted != lost:
        yield f"it counts {counted} rows that were not made but names {lost}"
    if commit.kind == "samples":
        kinds = Counter(table["kind"].to_pylist())
        real = {"accepted": table.num_rows, "reference": kinds["reference"], "degraded": kinds["degraded"]}
    else:
        status = Counter(table["status"].to_pylist())
        real = {"planned": table.num_rows, **{name: status[name] for name in ("accepted", "rejected", "dead")}}
    for name, number in real.items():
        if counts.get(name, 0) != number:
            yield f"it counts {counts.get(name, 0)} {name}, its file has {number}"
    if counts.get("planned", 0) != sum(counts.get(name, 0) for name in ("accepted", "rejected", "dead")):
        yield "planned is not accepted + rejected + dead"


def _dead_items(file: DataFile, data: bytes, found: UnitFindings) -> list[str] | None:
    try:
        table = decode(data, "parquet")
    except pa.ArrowInvalid as error:
        found.problems.append(Problem(file.path, "unreadable", f"it is no Parquet file ({error})"))
        return None
    if not table.schema.equals(DEAD) or table.num_rows != file.rows:
        found.problems.append(Problem(file.path, "unreadable", f"it does not hold {file.rows} records of dead rows"))
        return None
    return table["item"].to_pylist()


def _compare_samples(commit: Commit, table: pa.Table, dead: list[str], manifest: RunManifest) -> list[Problem]:
    """Compare the samples of a shard with the plan: each exactly once, made, rejected or dead."""
    generate = manifest.recipe["generate"]
    size = generate["identities_per_shard"]
    own = range(commit.number * size, commit.number * size + planned_identities(commit, manifest))
    kinds = (("reference", generate["references"]), ("degraded", generate["degraded"]))
    plan = {sample_id(identity, kind, i) for identity in own for kind, count in kinds for i in range(count)}
    names = table["sample_id"].to_pylist()
    parts = zip(table["identity"].to_pylist(), table["kind"].to_pylist(), table["index"].to_pylist(), strict=True)
    misnamed = [
        name
        for name, (identity, kind, index) in zip(names, parts, strict=True)
        if None in (identity, kind, index) or name != sample_id(identity, kind, index)
    ]
    times = Counter(names) + Counter(dead)
    path = commit.file.path
    return [
        *_rows_problem(path, "duplicate", "rows with a sample_id twice", (name for name in times if times[name] > 1)),
        *_rows_problem(path, "out-of-plan", "samples that are not planned in this shard", times.keys() - plan),
        *_rows_problem(
            path, "missing", "planned samples that are neither made nor rejected nor dead", plan - times.keys()
        ),
        *_rows_problem(path, "misnamed", "samples whose name is not their identity, kind and index", misnamed),
    ]


def _rows_problem(path: str, kind: str, what: str, items: Iterable[str]) -> list[Problem]:
    names = sorted(items)
    if not names:
        return []
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return [Problem(path, kind, f"{len(names)} {what}: {shown}")]


def _candidate_rows(table: pa.Table) -> np.ndarray:
    numbers = table["candidate"].fill_null(-1).to_numpy()
    decided = np.array([status != "dead" for status in table["status"].to_pylist()], dtype=np.int64)
    identities = table["identity"].fill_null(-1).to_numpy()
    return np.stack([numbers, decided, identities], axis=1).astype(np.int64)
