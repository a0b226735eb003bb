"""Photographs inside tar files and in image columns of Parquet files, each read when it is its turn."""

import io
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from synfiqa.fiqa_train.scoring.kinds import SUFFIXES, is_hidden, suffix_of
from synfiqa.fiqa_train.scoring.photo_list import Photo, printable
from synfiqa.schemas.errors import UserError

_BUFFER = 1 << 20
"""Bytes read at once from a tar."""

Opener = Callable[[], Any]
"""Opens a binary file for reading."""


def tar_photos(opener: Opener, name: str, path: Path | None, skipped: Counter[str]) -> Iterator[Photo]:
    """Yield the photographs of a tar, plain or compressed, as `name::member`, and count its other files by kind.

    UserError for anything but a whole tar.
    """
    archive = _Tar(opener, name)
    for member in archive.members():
        suffix = suffix_of(member.name)
        if is_hidden(member.name):
            skipped["hidden"] += 1
        elif suffix in SUFFIXES:
            yield Photo(f"{name}::{printable(member.name)}", partial(archive.read, member), path)
        else:
            skipped[suffix or "without suffix"] += 1


class _Tar:
    """A tar that stays open; members are read in any order, fastest in that of the file."""

    def __init__(self, opener: Opener, name: str) -> None:
        self._opener, self._name = opener, name
        self._lock = threading.Lock()
        self._tar: tarfile.TarFile | None = None

    def _opened(self) -> tarfile.TarFile:
        if self._tar is None:
            file = self._opener()
            stream = io.BufferedReader(file, _BUFFER) if isinstance(file, io.RawIOBase) else file
            self._tar = tarfile.open(fileobj=stream, mode="r:*", errorlevel=0)  # noqa: SIM115 - it stays open
        return self._tar

    def members(self) -> list[tarfile.TarInfo]:
        """Return its regular files in order."""
        try:
            return [member for member in self._opened() if member.isfile()]
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UserError(f"{self._name} is no whole tar file ({error}): restore it") from error

    def read(self, member: tarfile.TarInfo) -> bytes:
        """Return the bytes of a member; ValueError for a damaged one."""
        with self._lock:
            try:
                file = self._opened().extractfile(member)
                return file.read() if file else b""
            except (tarfile.TarError, EOFError) as error:
                raise ValueError(f"the tar is damaged: {error}") from error


def parquet_photos(opener: Opener, name: str, path: Path | None) -> Iterator[Photo]:
    """Yield the photographs of a Parquet file as `name::row`, from its column of encoded images.

    That is the column `image`, else the first one of binary values or of structs with a field `bytes`, as Hugging Face
    datasets have. UserError when there is none, or for anything but a Parquet file.
    """
    table = _Table(opener, name)
    for row in range(table.rows):
        yield Photo(f"{name}::{row}", partial(table.read, row), path)


class _Table:
    """The image column of a Parquet file; one group of rows is in memory at a time."""

    def __init__(self, opener: Opener, name: str) -> None:
        try:
            self._file = pq.ParquetFile(pa.PythonFile(opener(), mode="r"))
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{name} is no whole Parquet file ({error}): restore it") from error
        self._column = _image_column(self._file.schema_arrow, name)
        metadata = self._file.metadata
        self.rows: int = metadata.num_rows
        self._ends: list[int] = []
        for group in range(metadata.num_row_groups):
            self._ends.append((self._ends[-1] if self._ends else 0) + metadata.row_group(group).num_rows)
        self._lock = threading.Lock()
        self._group, self._values = -1, pa.array([])

    def read(self, row: int) -> bytes:
        """Return the bytes of the image of a row; ValueError where there are none."""
        with self._lock:
            group = next(group for group, end in enumerate(self._ends) if row < end)
            if group != self._group:
                try:
                    column = self._file.read_row_group(group, columns=[self._column]).column(self._column)
                except pa.ArrowException as error:
                    raise ValueError(f"the Parquet file is damaged: {error}") from error
                self._values, self._group = column.combine_chunks(), group
            value = self._values[row - (self._ends[group - 1] if group else 0)].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise ValueError("the row holds no image")
        return content


def _image_column(schema: pa.Schema, name: str) -> str:
    fields = sorted(schema, key=lambda field: field.name != "image")
    for field in fields:
        kind = field.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(field.name)
    raise UserError(f"{name} has no column of encoded images among {', '.join(schema.names)}: name another file")
