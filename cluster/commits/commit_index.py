"""Reads the records of many commits in few requests, from an index that any job may write.

Commits stay the truth. An index holds what one job has read: path, length, time of writing and content of each commit.
An entry counts only while the listing of `commits/` shows the same path, length and time; what is missing is read one
by one, and when that is much a new index is written. Deleting an index harms nothing.
"""

import hashlib
import io
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable

INDEX = re.compile(r"index/commits-([0-9a-f]{64})\.parquet")
"""Path of an index; the digits are the SHA-256 of its bytes."""
MANY = 256
"""Commits up to which a job reads each by a request of its own, and writes no index."""
SETTLED_S = 2.0
"""Seconds by which a commit must be older than the newest one to enter an index: the times of a store may be whole
seconds, and without create-if-absent a commit may be replaced by one of equal length."""

_SCHEMA = pa.schema(
    [("path", pa.string()), ("bytes", pa.int64()), ("modified", pa.float64()), ("record", pa.large_binary())]
)


def read_records(storage: Storage, wanted: Sequence[Entry], listed: Sequence[Entry]) -> list[bytes]:
    """Return the contents of the wanted commits in order; `listed` is the whole listing of `commits/`.

    With an empty `listed` no index is written. FileNotFoundError when a commit is gone. Whether an index can be read
    or written changes only the number of requests.
    """
    if len(wanted) <= MANY:
        return storage.read_many([entry.path for entry in wanted])
    indexed = _newest_index(storage)
    single = [entry for entry in wanted if entry not in indexed]
    records = dict(zip(single, storage.read_many([entry.path for entry in single]), strict=True))
    if len(single) > MANY and listed:
        _write(storage, {**{entry: indexed[entry] for entry in listed if entry in indexed}, **records}, listed)
    return [records[entry] if entry in records else indexed[entry] for entry in wanted]


def parse_index(path: str, data: bytes) -> dict[Entry, bytes]:
    """Return the records of an index by entry; ValueError when its bytes are not those that its name states."""
    match = INDEX.fullmatch(path)
    if match is None or hashlib.sha256(data).hexdigest() != match[1]:
        raise ValueError("its SHA-256 differs from its name")
    table = pq.read_table(pa.BufferReader(data), use_threads=False)
    if not table.schema.equals(_SCHEMA):
        raise ValueError("its columns are not those of an index")
    entries = map(Entry, *(table[name].to_pylist() for name in ("path", "bytes", "modified")))
    return dict(zip(entries, table["record"].to_pylist(), strict=True))


def _newest_index(storage: Storage) -> dict[Entry, bytes]:
    found = [entry for entry in storage.stat("index") if INDEX.fullmatch(entry.path)]
    if not found:
        return {}
    newest = max(found, key=lambda entry: (entry.modified, entry.path))
    try:
        return parse_index(newest.path, storage.read(newest.path))
    except (FileNotFoundError, ValueError):
        # It was removed meanwhile, or is damaged: the commits themselves are read.
        return {}


def _write(storage: Storage, records: dict[Entry, bytes], listed: Sequence[Entry]) -> None:
    last = max(entry.modified for entry in listed) - SETTLED_S
    settled = sorted(entry for entry in records if entry.modified <= last)
    if len(settled) <= MANY:
        return
    columns = [*map(list, zip(*settled, strict=True)), [records[entry] for entry in settled]]
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=_SCHEMA), sink, compression="zstd", use_dictionary=False)
    data = sink.getvalue()
    try:
        storage.write(f"index/commits-{hashlib.sha256(data).hexdigest()}.parquet", data)
    except (StorageRefused, StorageUnavailable):
        # A reader need not be allowed to write; the next job reads the commits one by one again.
        return
