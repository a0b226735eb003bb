"""Formats of a file of scores: CSV and JSON lines, row by row as they are made, and Parquet, written at the end."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable
from itertools import batched
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from synfiqa.fiqa_train.scoring.output.score_columns import Row

ROW_GROUP = 65_536
"""Rows of a row group of Parquet."""
FORMATS = (".csv", ".jsonl", ".ndjson", ".parquet")
"""Endings of files of scores (lower case)."""
MARK = {b"synfiqa": b"scores"}
"""Metadata of a Parquet file of scores, by which a later call recognises it."""
CSV_START = b"path,face,faces,"
"""First bytes of a CSV of scores."""
JSON_START = b'{"path": '
"""First bytes of JSON lines of scores."""
_DIGITS = {"score": 6, "percentile": 2, "scalar": 2, "detection": 4, "time": 3}


class RowFile(Protocol):
    """A file of scores that is being written."""

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows at once, so that a kill leaves them in the file (where the format allows it)."""
        ...

    def finish(self, rows: Iterable[Row]) -> None:
        """Complete the file; `rows` are all that were ever added, for formats that write them at the end."""
        ...

    def close(self) -> None:
        """Release the file, complete or not."""
        ...


def row_file(target: Path | None, schema: pa.Schema) -> RowFile:
    """Return the file of scores for a name with one of `FORMATS`; CSV on standard output for None."""
    suffix = "" if target is None else target.suffix.lower()
    if target is not None and suffix == ".parquet":
        return ParquetRows(target, schema)
    return LineRows(target, schema, as_json=suffix in (".jsonl", ".ndjson"))


class LineRows:
    """CSV or JSON lines in UTF-8, opened (and an older file replaced) with the first rows."""

    def __init__(self, target: Path | None, schema: pa.Schema, *, as_json: bool) -> None:
        self._target, self._names, self._as_json = target, schema.names, as_json
        self._stream: IO[bytes] | None = None

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows in one call."""
        self._write(self._lines(rows))

    def finish(self, rows: Iterable[Row]) -> None:
        """Write the header of a file without rows."""
        self._write(b"")

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._stream is not None and self._target is not None:
            self._stream.close()

    def _write(self, data: bytes) -> None:
        if self._stream is None:
            self._stream = sys.stdout.buffer if self._target is None else self._target.open("wb")
            data = (b"" if self._as_json else _csv_lines([self._names])) + data
        self._stream.write(data)
        self._stream.flush()

    def _lines(self, rows: Iterable[Row]) -> bytes:
        if self._as_json:
            lines = (json.dumps({name: row.get(name) for name in self._names}, ensure_ascii=False) for row in rows)
            return "".join(f"{line}\n" for line in lines).encode()
        return _csv_lines([[_cell(name, row.get(name)) for name in self._names] for row in rows])


class ParquetRows:
    """Parquet by row groups into a temporary file beside, which takes the name when it is whole."""

    def __init__(self, target: Path, schema: pa.Schema) -> None:
        self._target, self._schema = target, schema.with_metadata(MARK)

    def add(self, rows: Iterable[Row]) -> None:
        """Do nothing: a Parquet file cannot be read before its end, and the record beside it keeps the rows."""

    def finish(self, rows: Iterable[Row]) -> None:
        """Write all rows."""
        temporary = self._target.with_name(f".{self._target.name}.{os.getpid()}")
        try:
            with pq.ParquetWriter(temporary, self._schema, compression="zstd") as writer:
                for group in batched(rows, ROW_GROUP):
                    writer.write_table(pa.Table.from_pylist(list(group), self._schema), row_group_size=ROW_GROUP)
            temporary.replace(self._target)
        finally:
            temporary.unlink(missing_ok=True)

    def close(self) -> None:
        """Do nothing: no file is open between calls."""


def is_scores(path: Path) -> bool:
    """Return whether a file holds scores of an earlier call, which `photos/*` would name among the photographs."""
    try:
        if not path.is_file():  # reading a pipe or a terminal would block
            return False
        with path.open("rb") as stream:
            start = stream.read(max(len(CSV_START), len(JSON_START)))
        if start[:4] == b"PAR1":
            return (pq.read_schema(path).metadata or {}).get(b"synfiqa") == b"scores"
    except (OSError, pa.ArrowException):
        return False
    return start.startswith((CSV_START, JSON_START))


def _csv_lines(lines: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _cell(name: str, value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.{_DIGITS.get(name.partition(':')[0], 1)}f}" if isinstance(value, float) else str(value)
