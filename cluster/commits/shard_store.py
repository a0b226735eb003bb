"""Exactly-once shards: data under attempt-unique names, and one small commit object that makes them exist.

A commit is never changed. Rows that were dead and could be made later come as the next revision of their unit, a
commit of its own; readers take the highest. Nothing here deletes: see `cluster/upkeep/garbage.py` for why and when.
"""

import hashlib
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from synfiqa.cluster.commits.merkle import dataset_root
from synfiqa.cluster.commits.shard_formats import SUFFIX, Format, content_digest, decode, encode
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit, DataFile, DeadRow
from synfiqa.schemas.rows import CANDIDATES, DEAD, SAMPLES, SCHEMA_VERSION

Kind = Literal["samples", "identities"]

SCHEMAS: dict[Kind, pa.Schema] = {"samples": SAMPLES, "identities": CANDIDATES}
STEM: dict[Kind, str] = {"samples": "shard", "identities": "unit"}
_SETTLING_S = (0.1, 0.4, 1.5)
"""Pauses before a commit that cannot be parsed is read again."""
_COMMIT_NAME = re.compile(r"commits/(shard|unit)-(\d{6,})(?:\.r(\d{3,}))?\.json")


def commit_path(kind: Kind, number: int, revision: int = 0) -> str:
    """Return where the commit of a unit lives: `commits/shard-000012.json`, `commits/shard-000012.r001.json`."""
    return f"commits/{STEM[kind]}-{number:06d}" + (f".r{revision:03d}" if revision else "") + ".json"


def parse_commit_path(path: str) -> tuple[Kind, int, int] | None:
    """Return (kind, number, revision) of a commit's path, or None when it is not one."""
    match = _COMMIT_NAME.fullmatch(path)
    if match is None:
        return None
    kind: Kind = "samples" if match[1] == "shard" else "identities"
    name = kind, int(match[2]), int(match[3] or 0)
    return name if commit_path(*name) == path else None


class UnreadableRecord(JobFailed):
    """A commit object that is not one (exit code 1)."""


class ShardStore:
    """The shards and ledger units of one run. Readers see what commits name, nothing else (promise 2)."""

    def __init__(self, storage: Storage, fingerprint: str, format: Format = "parquet") -> None:
        self.storage = storage
        self.fingerprint = fingerprint
        self.format = format

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
        """Store the rows and make them exist; when another writer was first, return its commit.

        A loser leaves its files to `gc`: on a store that does not enforce create-if-absent, a request that it gave up
        on may still land and name them. ValueError for rows of another schema; JobFailed when the upload is short, or
        when the first writer made other rows from the same recipe, because then determinism is broken.
        """
        if not table.schema.equals(SCHEMAS[kind]):
            raise ValueError(f"{kind} {number}: columns are not those of synfiqa.schemas.rows: {table.schema}")
        labels = {"kind": kind, "number": str(number), "fingerprint": self.fingerprint}
        files: dict[str, bytes] = {}
        ours = Commit(
            kind=kind,
            number=number,
            revision=revision,
            file=_data_file(f"{kind}/{_stem(kind, number)}", table, self._format(kind, table), labels, files),
            dead=_data_file(f"dead/{_stem(kind, number)}", _dead_table(dead), "parquet", labels, files)
            if dead
            else None,
            content_sha256=content_digest(table),
            counts=dict(counts),
            fingerprint=self.fingerprint,
            provenance=dict(provenance or {}),
        )
        for path, data in files.items():
            self._upload(path, data)
        if self.storage.create(commit_path(kind, number, revision), _json(ours)):
            for path, data in files.items():
                # A process that slept through gc's age guard finds its upload gone: it still holds the bytes.
                if not self._holds(path, data):
                    self._upload(path, data)
            return ours
        theirs = self._load(commit_path(kind, number, revision))
        # Dead rows are what one attempt could not make: two attempts may differ in them without breaking a promise.
        if theirs.content_sha256 != ours.content_sha256 and not (dead or theirs.dead):
            raise JobFailed(
                f"{kind} {number} was made twice with different content: committed {theirs.content_sha256} in "
                f"{theirs.file.path}, now {ours.content_sha256}; the models or libraries differ between workers"
            )
        return theirs

    def committed(self, kind: Kind) -> dict[int, Commit]:
        """Return the newest commit of every unit, ascending; UserError when one belongs to another recipe."""
        newest: dict[int, tuple[int, str]] = {}
        for path, number, revision in self._names(kind):
            newest[number] = max(newest.get(number, (revision, path)), (revision, path))
        return {commit.number: commit for commit in self._read_commits([path for _, path in newest.values()])}

    def revisions(self, kind: Kind) -> list[Commit]:
        """Return every commit ever made, superseded ones too, by number and revision."""
        return self._read_commits([path for path, _, _ in self._names(kind)])

    def get(self, kind: Kind, number: int, revision: int = 0) -> Commit:
        """Return one commit; JobFailed when that unit is not committed."""
        try:
            return self._load(commit_path(kind, number, revision))
        except FileNotFoundError:
            raise JobFailed(
                f"{kind} {number} is not committed in {self.storage.uri()}; run `synfiqa generate`"
            ) from None

    def read(self, commit: Commit, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of a commit; JobFailed naming the file when it is missing or its bytes changed."""
        return decode(read_verified(self.storage, commit.file), _format_of(commit), columns)

    def tables(self, kind: Kind, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of every commit in number order, one table each."""
        for commit in self.committed(kind).values():
            yield self.read(commit, columns)

    def dead_rows(self, commit: Commit) -> list[DeadRow]:
        """Return the dead rows of a unit, with their errors and specifications."""
        if commit.dead is None:
            return []
        table = decode(read_verified(self.storage, commit.dead), "parquet")
        return [DeadRow.model_validate(row) for row in table.to_pylist()]

    def dataset_digest(self) -> str:
        """Return the Merkle root (hex) over all committed content in order.

        It does not depend on the file format, the attempts, or who finished first (promise 1).
        """
        return dataset_root(self.committed("identities").values(), self.committed("samples").values())

    def _format(self, kind: Kind, table: pa.Table) -> Format:
        # The ledger is read back on resume and stays Parquet; a tar without members is not readable.
        return self.format if kind == "samples" and table.num_rows else "parquet"

    def _upload(self, path: str, data: bytes) -> None:
        self.storage.write(path, data)
        if not self._holds(path, data):
            raise JobFailed(f"{self.storage.uri(path)} does not hold its {len(data)} bytes after upload; run again")

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self.storage.size(path) == len(data)
        except FileNotFoundError:
            return False

    def _names(self, kind: Kind) -> list[tuple[str, int, int]]:
        found = ((path, parse_commit_path(path)) for path in self.storage.list("commits"))
        return [(path, name[1], name[2]) for path, name in found if name is not None and name[0] == kind]

    def _read_commits(self, paths: Sequence[str]) -> list[Commit]:
        found = [self._settled(path, data) for path, data in zip(paths, self.storage.read_many(paths), strict=True)]
        return sorted(found, key=lambda commit: (commit.number, commit.revision))

    def _load(self, path: str) -> Commit:
        return self._settled(path, self.storage.read(path))

    def _settled(self, path: str, data: bytes) -> Commit:
        """Parse a commit; stores such as rclone show an object while it is written, so a torn one is read again."""
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
                f"{self.storage.uri(path)} says it is {commit.kind} {commit.number}; delete it and run again"
            )
        if commit.fingerprint != self.fingerprint:
            raise UserError(
                f"{self.storage.uri(path)} was made by another recipe ({commit.fingerprint[:12]}, "
                f"this one is {self.fingerprint[:12]}); choose another folder with --run"
            )
        return commit


def read_verified(storage: Storage, file: DataFile) -> bytes:
    """Return the bytes of a data file; JobFailed naming it when it is missing or its checksum differs."""
    try:
        data = storage.read(file.path)
    except FileNotFoundError as error:
        raise JobFailed(f"{storage.uri(file.path)} is committed but missing; restore it from a copy") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise JobFailed(
            f"{storage.uri(file.path)} is damaged: its SHA-256 differs from its commit; restore it from a copy"
        )
    return data


def _format_of(commit: Commit) -> Format:
    return "webdataset" if commit.file.path.endswith("." + SUFFIX["webdataset"]) else "parquet"


def _stem(kind: Kind, number: int) -> str:
    return f"{STEM[kind]}-{number:06d}"


def _data_file(
    stem: str, table: pa.Table, format: Format, labels: Mapping[str, str], files: dict[str, bytes]
) -> DataFile:
    """Encode a table into `files` under a name that no other attempt has."""
    data = encode(table, format, {**labels, "schema_version": str(SCHEMA_VERSION)})
    path = f"{stem}-{uuid.uuid4().hex[:12]}.{SUFFIX[format]}"
    files[path] = data
    return DataFile(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), rows=table.num_rows)


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
