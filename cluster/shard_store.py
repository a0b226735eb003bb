"""Exactly-once shards: data under attempt-unique names, and one small commit object that makes them exist."""

import hashlib
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from cluster.errors import JobFailed, UserError
from cluster.shard_formats import SUFFIX, Format, content_digest, decode, encode
from cluster.storage import Storage
from schemas.manifest import Commit, DataFile, Dead
from schemas.rows import CANDIDATES, SAMPLES, SCHEMA_VERSION

Kind = Literal["samples", "identities"]

SCHEMAS: dict[Kind, pa.Schema] = {"samples": SAMPLES, "identities": CANDIDATES}
_STEM: dict[Kind, str] = {"samples": "shard", "identities": "unit"}


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
        counts: dict[str, int],
        provenance: dict[str, str] | None = None,
    ) -> Commit:
        """Store the rows and make them exist; when another writer was first, drop ours and return its commit.

        ValueError for rows of another schema; JobFailed when the upload is short, or when the first writer made other
        rows from the same recipe, because then determinism is broken and no later result can be trusted.
        """
        if not table.schema.equals(SCHEMAS[kind]):
            raise ValueError(f"{kind} {number}: columns are not those of schemas.rows: {table.schema}")
        # Identities are read back on resume and stay Parquet whatever the samples are written as.
        format: Format = self.format if kind == "samples" else "parquet"
        labels = {"kind": kind, "number": str(number), "fingerprint": self.fingerprint}
        data = encode(table, format, {**labels, "schema_version": str(SCHEMA_VERSION)})
        path = f"{kind}/{_STEM[kind]}-{number:06d}-{uuid.uuid4().hex[:12]}.{SUFFIX[format]}"
        ours = Commit(
            kind=kind,
            number=number,
            file=DataFile(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), rows=table.num_rows),
            content_sha256=content_digest(table),
            counts=counts,
            fingerprint=self.fingerprint,
            provenance=provenance or {},
        )
        self.storage.write(path, data)
        if (stored := self.storage.size(path)) != len(data):
            self.storage.delete(path)
            raise JobFailed(f"{self.storage.uri(path)} has {stored} of {len(data)} bytes after upload; run again")
        if self.storage.create(_commit_path(kind, number), _json(ours)):
            return ours
        theirs = self._load(_commit_path(kind, number))
        # A create that was retried inside the store's client finds our own commit: its data must stay.
        if theirs.file.path != path:
            self.storage.delete(path)
        if theirs.content_sha256 != ours.content_sha256:
            raise JobFailed(
                f"{kind} {number} was made twice with different content: committed {theirs.content_sha256} in "
                f"{theirs.file.path}, now {ours.content_sha256}; the models or libraries differ between workers"
            )
        return theirs

    def committed(self, kind: Kind) -> dict[int, Commit]:
        """Return all commits by number, ascending; UserError when one belongs to another recipe."""
        pattern = re.compile(rf"commits/{_STEM[kind]}-\d{{6,}}\.json")
        paths = [path for path in self.storage.list("commits") if pattern.fullmatch(path)]
        found = [self._parse(path, data) for path, data in zip(paths, self.storage.read_many(paths), strict=True)]
        return {commit.number: commit for commit in sorted(found, key=lambda commit: commit.number)}

    def get(self, kind: Kind, number: int) -> Commit:
        """Return one commit; JobFailed when that unit is not committed."""
        try:
            return self._load(_commit_path(kind, number))
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

    def sweep(self, kind: Kind) -> list[str]:
        """Delete the data files that crashed attempts left of committed units, and return their paths.

        Such a file is nobody's: its unit exists by another file, and the commit of whoever still writes it will fail.
        """
        kept = {commit.number: commit.file.path for commit in self.committed(kind).values()}
        pattern = re.compile(rf"{kind}/{_STEM[kind]}-(\d{{6,}})-[0-9a-f]{{12}}\.\w+")
        found = [(path, pattern.fullmatch(path)) for path in self.storage.list(kind)]
        left = [path for path, name in found if name and kept.get(int(name[1]), path) != path]
        for path in left:
            self.storage.delete(path)
        return left

    def dataset_digest(self) -> str:
        """Return the SHA-256 (hex) over all committed content in order.

        It does not depend on the file format, the attempts, or who finished first (promise 1).
        """
        digest = hashlib.sha256()
        for kind in ("identities", "samples"):
            for number, commit in self.committed(kind).items():
                digest.update(f"{kind} {number} {commit.content_sha256} {commit.file.rows}\n".encode())
        return digest.hexdigest()

    def record_dead(self, dead: Dead) -> None:
        """Keep why a unit could not be made; a later record of the same unit replaces it."""
        self.storage.write(_dead_path(dead.kind, dead.number), _json(dead))

    def dead(self, kind: Kind) -> dict[int, Dead]:
        """Return the dead records by number, ascending."""
        pattern = re.compile(rf"dead/{kind}-\d{{6,}}\.json")
        paths = [path for path in self.storage.list("dead") if pattern.fullmatch(path)]
        found = [
            _validated(self.storage, path, data, Dead)
            for path, data in zip(paths, self.storage.read_many(paths), strict=True)
        ]
        return {record.number: record for record in sorted(found, key=lambda record: record.number)}

    def clear_dead(self, kind: Kind, number: int) -> None:
        """Forget the dead record of a unit, if there is one."""
        self.storage.delete(_dead_path(kind, number))

    def _load(self, path: str) -> Commit:
        return self._parse(path, self.storage.read(path))

    def _parse(self, path: str, data: bytes) -> Commit:
        commit = _validated(self.storage, path, data, Commit)
        if commit.kind not in SCHEMAS or path != _commit_path(commit.kind, commit.number):
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


def _commit_path(kind: Kind, number: int) -> str:
    return f"commits/{_STEM[kind]}-{number:06d}.json"


def _dead_path(kind: Kind, number: int) -> str:
    return f"dead/{kind}-{number:06d}.json"


def _json(record: BaseModel) -> bytes:
    return record.model_dump_json(indent=1).encode() + b"\n"


def _validated[R: BaseModel](storage: Storage, path: str, data: bytes, model: type[R]) -> R:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise JobFailed(
            f"{storage.uri(path)} is not readable ({where}: {first['msg']}); delete it and run again"
        ) from error
