"""Parquet files with encoded images, as `synfiqa export` and Hugging Face `datasets` write them."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synfiqa.cluster.commits.column_reads import RangedFile
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.reading.sources.outside_scores import outside_scores
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, StoredPieces, image_fault
from synfiqa.schemas.errors import UserError

IMAGE, QUALITY = "image", "quality"
IDENTITIES = ("identity", "label")
NAMES = ("sample_id", "path", "filename", "id")


class _Group(NamedTuple):
    """A row group: its file with size in bytes, its number, and outside scores of its rows."""

    path: str
    size: int
    number: int
    scores: np.ndarray | None


@dataclass(frozen=True)
class ParquetFiles(StoredPieces):
    """Rows of all Parquet files of a folder; a piece is a row group.

    Column `image` holds encoded images, as bytes or as a struct with `bytes`; `identity` (or `label`) an integer or a
    text, null where unknown; `quality`, where there is one, null or NaN without a label; the first of NAMES the name.
    """

    @classmethod
    def of(cls, name: str, url: str, weight: float = 1.0, scores: str = "") -> "ParquetFiles":
        """List the row groups of a folder, or of one file; UserError for files that are no such Parquet."""
        folder, _, file = url.rpartition("/") if url.endswith(".parquet") else (url, "", "")
        storage = Storage((folder or ".") if file else url)
        found = [entry for entry in storage.stat() if entry.path == file or (not file and _is_parquet(entry.path))]
        if not found:
            raise UserError(f"training source '{name}': {storage.uri()} holds no Parquet file; check its url")
        groups: list[tuple[str, int, int, int]] = []
        identities: Counter[Hashable] = Counter()
        names: list[str] = []
        for entry in found:
            parquet = _opened(name, storage, entry.path, entry.bytes)
            column = _column(parquet.schema_arrow, IDENTITIES)
            if IMAGE not in parquet.schema_arrow.names or column is None:
                raise UserError(
                    f"training source '{name}': {storage.uri(entry.path)} lacks a column "
                    f"{IMAGE} or {' or '.join(IDENTITIES)}; it has {', '.join(parquet.schema_arrow.names)}"
                )
            for number in range(parquet.num_row_groups):
                table = parquet.read_row_group(number, columns=[column])
                identities.update(value for value in table[column].to_pylist() if value is not None)
                groups.append((entry.path, entry.bytes, number, table.num_rows))
                if scores:
                    names.extend(_names(parquet, entry.path, number, table.num_rows))
        quality = outside_scores(name, scores, names) if scores else None
        pieces, first = [], 0
        for path, size, number, rows in groups:
            own = None if quality is None else quality[first : first + rows]
            pieces.append(Piece(rows, _Group(path, size, number, own)))
            first += rows
        return cls(name, storage, pieces, {key: identities[key] for key in sorted(identities, key=str)}, weight)

    def read(self, piece: Piece) -> EncodedRows:
        """Return the rows of a row group; UserError for a damaged file and for a row without an image."""
        group: _Group = piece.place
        parquet = _opened(self.name, self.storage, group.path, group.size)
        schema = parquet.schema_arrow
        identity = _column(schema, IDENTITIES)
        name = _column(schema, NAMES)
        columns = [column for column in (IMAGE, identity, name) if column]
        columns += [QUALITY] if QUALITY in schema.names else []
        try:
            table = parquet.read_row_group(group.number, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError, EOFError) as error:
            raise UserError(_damaged(self.name, self.storage, group.path, error)) from error
        images = table[IMAGE].combine_chunks()
        names = _row_names(table, name, group.path, group.number)
        encoded = (images.field("bytes") if pa.types.is_struct(images.type) else images).to_pylist()
        for data, row in zip(encoded, names, strict=True):
            if data is None:
                raise self.fault(row, "is missing")
        quality = group.scores
        if quality is None:
            values = table[QUALITY].to_numpy() if QUALITY in table.column_names else np.full(len(encoded), np.nan)
            quality = values.astype(np.float32)
        return EncodedRows(encoded, quality, table[identity].to_pylist(), names)

    def fault(self, name: str, reason: str) -> Exception:
        """Return the error for an image that cannot be used."""
        return image_fault(self.name, name, reason)


def _is_parquet(path: str) -> bool:
    return path.endswith(".parquet")


def _opened(source: str, storage: Storage, path: str, size: int) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(RangedFile(storage, path, size), pre_buffer=True, page_checksum_verification=True)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise UserError(_damaged(source, storage, path, error)) from error


def _damaged(source: str, storage: Storage, path: str, error: Exception) -> str:
    return f"training source '{source}': {storage.uri(path)} is no readable Parquet file ({error}); restore it"


def _column(schema: pa.Schema, wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in schema.names), None)


def _names(parquet: pq.ParquetFile, path: str, number: int, rows: int) -> list[str]:
    column = _column(parquet.schema_arrow, NAMES)
    table = parquet.read_row_group(number, columns=[column] if column else [])
    return _row_names(table, column, path, number) if column else [f"{path}:{number}:{row}" for row in range(rows)]


def _row_names(table: pa.Table, column: str | None, path: str, number: int) -> list[str]:
    known = table[column].to_pylist() if column else [None] * table.num_rows
    return [f"{path}:{number}:{row}" if value is None else str(value) for row, value in enumerate(known)]
