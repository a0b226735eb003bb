"""Exactly-once commits: data files under names unique to the attempt, and one commit object for each unit.

A unit exists if and only if its commit does. A commit is never changed: a replay of dead rows makes the next revision
of the unit, and readers take the highest. This module deletes nothing; `cluster/upkeep/garbage.py` does.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from synfiqa.cluster.commits.column_reads import SMALL_FILE, in_order, read_columns
from synfiqa.cluster.commits.commit_index import read_records
from synfiqa.cluster.commits.merkle import dataset_root
from synfiqa.cluster.commits.shard_formats import SUFFIX, Format, content_digest, decode, encode
from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit, DataFile, DeadRow
from synfiqa.schemas.rows import CANDIDATES, DEAD, SCHEMA_VERSION, is_samples_schema

Kind = Literal["samples", "identities"]

STEM: dict[Kind, str] = {"samples": "shard", "identities": "unit"}
_SETTLING_S = (0.1, 0.4, 1.5)
"""Seconds to wait before each repeated read of a commit that cannot be parsed."""
_COMMIT_NAME = re.compile(r"commits/(shard|unit)-(\d{6,})(?:\.r(\d{3,}))?\.json")


def commit_path(kind: Kind, number: int, revision: int = 0) -> str:
    """Return the path of a unit's commit: `commits/shard-000012.json`, `commits/shard-000012.r001.json`."""
    return f"commits/{STEM[kind]}-{number:06d}" + (f".r{revision:03d}" if revision else "") + ".json"


def parse_commit_path(path: str) -> tuple[Kind, int, int] | None:
    """Return (kind, number, revision) of the path of a commit, or None for any other path."""
    match = _COMMIT_NAME.fullmatch(path)
    if match is None:
        return None
    kind: Kind = "samples" if match[1] == "shard" else "identities"
    name = kind, int(match[2]), int(match[3] or 0)
    return name if commit_path(*name) == path else None


def has_columns(kind: Kind, schema: pa.Schema) -> bool:
    """Return whether a table of this schema may be a unit of the kind (synfiqa.schemas.rows)."""
    return bool(schema.equals(CANDIDATES)) if kind == "identities" else is_samples_schema(schema)


class _Upload(NamedTuple):
    """Data to upload; the path of the file gets its attempt from the storage."""

    file: DataFile
    data: bytes


class Uploaded(NamedTuple):
    """A unit whose data are uploaded whole and whose commit does not exist yet."""

    commit: Commit
    data: bytes
    dead_data: bytes


class Committed(NamedTuple):
    """The newest commits of a run by number: ledger units and shards, from one listing."""

    units: dict[int, Commit]
    shards: dict[int, Commit]

    @property
    def digest(self) -> str:
        """Merkle root (hex) over all committed content in order.

        Independent of file format, attempts and order of completion (docs/architecture.md, promise 1).
        """
        return dataset_root(self.units.values(), self.shards.values())


class UnreadableRecord(JobFailed):
    """Commit object that cannot be parsed (exit code 1)."""


class ShardStore:
    """Shards and ledger units of one run, read through their commits only (docs/architecture.md, promise 2)."""

    def __init__(self, storage: Storage, fingerprint: str, format: Format = "parquet") -> None:
        self.storage = storage
        self.fingerprint = fingerprint
        self.format = format
        self._known: dict[str, tuple[Entry, Commit]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Travel to workers without the commits that were read."""
        return self.__dict__ | {"_known": {}}

    def commit(
        self,
        kind: Kind,
        number: int,
        table: pa.Table,
        counts: Mapping[str, int],
        provenance: Mapping[str, str] | None = None,
        *,
        dead: Sequence[DeadRow] = (),
        revision: int = 0,
    ) -> Commit:
        """Upload the rows and create their commit; return the existing commit when another writer was first.

        The files of a losing writer stay for `gc`: on a store that does not enforce create-if-absent, its delayed
        commit request may still arrive and name them. ValueError for rows of another schema; JobFailed when the upload
        is short, or when the first writer made other rows from the same recipe, because then determinism is broken.
        """
        return self.create(self.upload(kind, number, table, counts, provenance, dead=dead, revision=revision))

    def upload(
        self,
        kind: Kind,
        number: int,
        table: pa.Table,
        counts: Mapping[str, int],
        provenance: Mapping[str, str] | None = None,
        *,
        dead: Sequence[DeadRow] = (),
        revision: int = 0,
    ) -> Uploaded:
        """Upload the rows of a unit without a commit, as the first half of `commit`; errors as there."""
        if not has_columns(kind, table.schema):
            raise ValueError(f"{kind} {number}: columns are not those of synfiqa.schemas.rows: {table.schema}")
        labels = {"kind": kind, "number": str(number), "fingerprint": self.fingerprint}
        upload = _upload_of(f"{kind}/{_stem(kind, number)}", table, self._format(kind, table), labels)
        dead_upload = _upload_of(f"dead/{_stem(kind, number)}", _dead_table(dead), "parquet", labels) if dead else None
        # Made before the uploads, since it refuses wrong counts.
        ours = Commit(
            kind=kind,
            number=number,
            revision=revision,
            file=upload.file,
            dead=dead_upload.file if dead_upload else None,
            content_sha256=content_digest(table),
            counts=dict(counts),
            fingerprint=self.fingerprint,
            provenance=dict(provenance or {}),
        )
        ours = ours.model_copy(
            update={"file": self._upload(upload), "dead": self._upload(dead_upload) if dead_upload else None}
        )
        return Uploaded(ours, upload.data, dead_upload.data if dead_upload else b"")

    def create(self, uploaded: Uploaded, followers: Sequence[Commit] = ()) -> Commit:
        """Create the commit of uploaded rows, as the second half of `commit`; errors and result as there.

        `followers` are recorded in it (`synfiqa.cluster.commits.ledger_commits`).
        """
        ours = uploaded.commit.model_copy(update={"followers": tuple(followers)})
        path = commit_path(ours.kind, ours.number, ours.revision)
        if self.storage.create(path, _json(ours)):
            self._look_again(ours.file, uploaded.data)
            if ours.dead:
                self._look_again(ours.dead, uploaded.dead_data)
            return ours
        return self._require_equal(ours, self._load(path))

    def create_promised(self, commit: Commit) -> Commit:
        """Create a commit that another one records as a follower; JobFailed when its data are gone."""
        for file in filter(None, (commit.file, commit.dead)):
            self._require_whole(file)
        path = commit_path(commit.kind, commit.number, commit.revision)
        if self.storage.create(path, _json(commit)):
            return commit
        return self._require_equal(commit, self._load(path))

    def committed(self, kind: Kind) -> dict[int, Commit]:
        """Return the newest commit of every unit by number; UserError when one belongs to another recipe.

        A commit never changes, so each is read once by this object, however often it is listed.
        """
        listed = self.storage.stat("commits")
        return self._newest(kind, listed)

    def all_committed(self) -> Committed:
        """Return the newest commits of both kinds as one listing shows them; errors as in `committed`."""
        listed = self.storage.stat("commits")
        return Committed(self._newest("identities", listed), self._newest("samples", listed))

    def revisions(self, kind: Kind) -> list[Commit]:
        """Return all commits, superseded ones too, sorted by number and revision."""
        listed = self.storage.stat("commits")
        return self._read_commits([entry for entry, _, _ in _of_kind(kind, listed)], listed)

    def get(self, kind: Kind, number: int, revision: int = 0) -> Commit:
        """Return one commit; JobFailed when the unit is not committed."""
        try:
            return self._load(commit_path(kind, number, revision))
        except FileNotFoundError:
            raise JobFailed(
                f"{kind} {number} is not committed in {self.storage.uri()}; run `synfiqa generate`"
            ) from None

    def read(self, commit: Commit, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of a commit; JobFailed with the file's name when it is missing or damaged."""
        return decode(read_verified(self.storage, commit.file), _format_of(commit), columns)

    def read_each(self, commits: Iterable[Commit], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield `read_columns` of every commit in the given order, several requests at a time."""
        yield from in_order(lambda commit: self.read_columns(commit, columns), commits)

    def read_columns(self, commit: Commit, columns: Sequence[str]) -> pa.Table:
        """Return some columns of a commit; errors as in `read`.

        Other columns of a large Parquet file, such as its pictures, are not fetched.
        """
        if _format_of(commit) == "parquet" and commit.file.bytes > SMALL_FILE:
            return read_columns(self.storage, commit.file, columns)
        return self.read(commit, columns)

    def tables(self, kind: Kind, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of every unit as one table, in order of number."""
        for commit in self.committed(kind).values():
            yield self.read(commit, columns)

    def dead_rows(self, commit: Commit) -> list[DeadRow]:
        """Return the dead rows of a unit with their errors and specifications."""
        if commit.dead is None:
            return []
        table = decode(read_verified(self.storage, commit.dead), "parquet")
        return [DeadRow.model_validate(row) for row in table.to_pylist()]

    def dataset_digest(self) -> str:
        """Return the Merkle root (hex) over all committed content in order.

        Independent of file format, attempts and order of completion (docs/architecture.md, promise 1).
        """
        return self.all_committed().digest

    def _format(self, kind: Kind, table: pa.Table) -> Format:
        # The ledger is always Parquet, since a resumed run reads it; a tar without members is not readable.
        return self.format if kind == "samples" and table.num_rows else "parquet"

    def _upload(self, upload: _Upload) -> DataFile:
        """Upload the data and return their file under its unique name; JobFailed when it is short."""
        file = upload.file.model_copy(update={"path": self.storage.write_unique(upload.file.path, upload.data)})
        self._require_whole(file)
        return file

    def _look_again(self, file: DataFile, data: bytes) -> None:
        """Upload the data of a commit again when they are gone."""
        # gc removes uncommitted files older than its age guard; a process suspended for longer uploads again.
        if not self._holds(file):
            self.storage.write(file.path, data)
            self._require_whole(file)

    def _require_whole(self, file: DataFile) -> None:
        if not self._holds(file):
            raise JobFailed(
                f"{self.storage.uri(file.path)} does not hold its {file.bytes} bytes after upload; run again"
            )

    def _holds(self, file: DataFile) -> bool:
        try:
            return self.storage.size(file.path) == file.bytes
        except FileNotFoundError:
            return False

    def _require_equal(self, ours: Commit, theirs: Commit) -> Commit:
        """Return the commit of the first writer; JobFailed when it names other rows."""
        # Two attempts may differ in their dead rows without breaking determinism.
        if theirs.content_sha256 != ours.content_sha256 and not (ours.dead or theirs.dead):
            raise JobFailed(
                f"{ours.kind} {ours.number} was made twice with different content: committed {theirs.content_sha256} "
                f"in {theirs.file.path}, now {ours.content_sha256}; the models or libraries differ between workers"
            )
        return theirs

    def _newest(self, kind: Kind, listed: Sequence[Entry]) -> dict[int, Commit]:
        newest: dict[int, tuple[int, Entry]] = {}
        for entry, number, revision in _of_kind(kind, listed):
            newest[number] = max(newest.get(number, (revision, entry)), (revision, entry))
        commits = self._read_commits([entry for _, entry in newest.values()], listed)
        return {commit.number: commit for commit in commits}

    def _read_commits(self, wanted: Sequence[Entry], listed: Sequence[Entry]) -> list[Commit]:
        fresh = [entry for entry in wanted if self._known.get(entry.path, (None,))[0] != entry]
        for entry, data in zip(fresh, read_records(self.storage, fresh, listed), strict=True):
            self._known[entry.path] = (entry, self._parse_with_rereads(entry.path, data))
        found = [self._known[entry.path][1] for entry in wanted]
        return sorted(found, key=lambda commit: (commit.number, commit.revision))

    def _load(self, path: str) -> Commit:
        return self._parse_with_rereads(path, self.storage.read(path))

    def _parse_with_rereads(self, path: str, data: bytes) -> Commit:
        """Parse a commit, and read it again when it is incomplete."""
        # Stores such as rclone show an object while it is written.
        for pause in _SETTLING_S:
            try:
                return self._parse(path, data)
            except UnreadableRecord:
                time.sleep(pause)
                data = self.storage.read(path)
        return self._parse(path, data)

    def _parse(self, path: str, data: bytes) -> Commit:
        commit = _validated(self.storage, path, data, Commit)
        if path != commit_path(commit.kind, commit.number, commit.revision):
            raise JobFailed(
                f"{self.storage.uri(path)} is the commit of {commit.kind} {commit.number}; delete it and run again"
            )
        if commit.fingerprint != self.fingerprint:
            raise UserError(
                f"{self.storage.uri(path)} was made by another recipe ({commit.fingerprint[:12]}, "
                f"not {self.fingerprint[:12]}); choose another folder with --run"
            )
        return commit


def read_verified(storage: Storage, file: DataFile) -> bytes:
    """Return the bytes of a data file; JobFailed with its name when it is missing or its checksum differs."""
    try:
        data = storage.read(file.path)
    except FileNotFoundError as error:
        raise JobFailed(f"{storage.uri(file.path)} is committed but missing; restore it from a copy") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise JobFailed(
            f"{storage.uri(file.path)} is damaged: its SHA-256 differs from its commit; restore it from a copy"
        )
    return data


def _of_kind(kind: Kind, listed: Iterable[Entry]) -> Iterator[tuple[Entry, int, int]]:
    """Yield entry, number and revision of the commits of one kind."""
    for entry in listed:
        name = parse_commit_path(entry.path)
        if name is not None and name[0] == kind:
            yield entry, name[1], name[2]


def _format_of(commit: Commit) -> Format:
    return "webdataset" if commit.file.path.endswith("." + SUFFIX["webdataset"]) else "parquet"


def _stem(kind: Kind, number: int) -> str:
    return f"{STEM[kind]}-{number:06d}"


def _upload_of(stem: str, table: pa.Table, format: Format, labels: Mapping[str, str]) -> _Upload:
    """Encode a table for an upload as `<stem>-<attempt>.<suffix>`."""
    data = encode(table, format, {**labels, "schema_version": str(SCHEMA_VERSION)})
    digest = hashlib.sha256(data).hexdigest()
    path = f"{stem}.{SUFFIX[format]}"
    return _Upload(DataFile(path=path, sha256=digest, bytes=len(data), rows=table.num_rows), data)


def _dead_table(dead: Sequence[DeadRow]) -> pa.Table:
    return pa.Table.from_pylist([row.model_dump() for row in dead], schema=DEAD)


def _json(record: BaseModel) -> bytes:
    return record.model_dump_json(indent=1).encode() + b"\n"


def _validated[R: BaseModel](storage: Storage, path: str, data: bytes, model: type[R]) -> R:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise UnreadableRecord(
            f"{storage.uri(path)} is not readable ({where}: {first['msg']}); delete it and run again"
        ) from error
