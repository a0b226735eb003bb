"""Encodes shards as deterministic bytes: equal rows give equal Parquet files or WebDataset tars."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Format = Literal["parquet", "webdataset"]

SUFFIX: dict[Format, str] = {"parquet": "parquet", "webdataset": "tar"}
"""File name ending of each format."""

ROW_GROUP = 1024
_SAFE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_IMAGES = {"image": "jpg", "portrait": "png"}
"""Ending in a tar of each column of encoded images."""
_SCHEMA_HEADER = "SYNFIQA.schema"
_METADATA_HEADER = "SYNFIQA.metadata"


def encode(table: pa.Table, format: Format, metadata: Mapping[str, str]) -> bytes:
    """Return the rows as the bytes of a file, independent of chunking and schema metadata of the table."""
    return _to_parquet(table, metadata) if format == "parquet" else _to_tar(table, metadata)


def decode(data: bytes, format: Format, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of an encoded file with exact types and without schema metadata."""
    if format == "parquet":
        read = pq.read_table(pa.BufferReader(data), columns=None if columns is None else list(columns))
        return read.replace_schema_metadata(None)
    table = _from_tar(data)
    return table if columns is None else table.select(list(columns))


def content_digest(table: pa.Table) -> str:
    """Return the SHA-256 (hex) of names, types and values in row order, independent of file format and chunking."""
    digest = hashlib.sha256(f"rows:{table.num_rows}".encode())
    for field, column in zip(table.schema, table.columns, strict=True):
        digest.update(f"\n{field.name}:{_type_name(field.type)}\n".encode())
        for part in _canonical(column.combine_chunks()):
            digest.update(part)
    return digest.hexdigest()


def _type_name(kind: pa.DataType) -> str:
    # Parquet renames the child of a list, so Arrow's own spelling of equal types may differ after a round trip.
    if pa.types.is_struct(kind):
        return "struct<" + ",".join(f"{field.name}:{_type_name(field.type)}" for field in kind) + ">"
    if pa.types.is_fixed_size_list(kind):
        return f"list[{kind.list_size}]<{_type_name(kind.value_type)}>"
    return f"list<{_type_name(kind.value_type)}>" if pa.types.is_nested(kind) else str(kind)


def _canonical(array: pa.Array) -> list[bytes | memoryview]:
    """Return validity, lengths and values as bytes; values under a null are set to zero."""
    kind = array.type
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False), dtype=np.uint8)
    head = [missing.tobytes()]
    if pa.types.is_struct(kind):
        # flatten() applies the parent's nulls to the fields, so that fields under a null struct compare equal.
        return head + [part for child in array.flatten() for part in _canonical(child)]
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = array.value_lengths().fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return [*head, lengths.astype("<i8").tobytes(), *_canonical(array.flatten())]
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        filled = array.fill_null("" if pa.types.is_string(kind) else b"")
        _, offsets, values = filled.buffers()
        ends = np.frombuffer(offsets, "<i4", len(filled) + 1, 4 * filled.offset)
        data = memoryview(values)[ends[0] : ends[-1]] if values is not None else b""
        return [*head, np.diff(ends).astype("<i8").tobytes(), data]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        filled = array.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy(zero_copy_only=False)
        return [*head, np.ascontiguousarray(filled).astype(filled.dtype.newbyteorder("<")).tobytes()]
    raise TypeError(f"column type {kind} cannot be stored in a shard")


def _leaves(field: pa.Field, path: str = "") -> list[tuple[str, pa.DataType]]:
    """Return the Parquet column paths of a field, as in the writer's options, with their types."""
    path = path + field.name
    if pa.types.is_struct(field.type):
        return [leaf for child in field.type for leaf in _leaves(child, f"{path}.")]
    if pa.types.is_nested(field.type):
        return _leaves(pa.field("element", field.type.value_type), f"{path}.list.")
    return [(path, field.type)]


def _to_parquet(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    schema = table.schema.with_metadata(
        {
            "huggingface": json.dumps({"info": {"features": {f.name: _feature(f.type) for f in table.schema}}}),
            "synfiqa": json.dumps(dict(metadata), sort_keys=True),
        }
    )
    leaves = [leaf for field in schema for leaf in _leaves(field)]
    # Encoded images do not compress, and their minimum and maximum are useless.
    plain = [path for path, kind in leaves if not pa.types.is_binary(kind)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.combine_chunks().cast(schema),
        sink,
        row_group_size=ROW_GROUP,
        compression={path: "zstd" if path in plain else "none" for path, _ in leaves},
        compression_level=dict.fromkeys(plain, 3),
        use_dictionary=[path for path, kind in leaves if pa.types.is_string(kind)],
        write_statistics=plain,
        version="2.6",
        data_page_version="1.0",
        # Columns that are read alone cannot be checked by the digest of the file.
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """Return the column as a feature of Hugging Face `datasets`; all its versions support `Sequence`."""
    if pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_nested(kind):
        length = kind.list_size if pa.types.is_fixed_size_list(kind) else -1
        return {"feature": _feature(kind.value_type), "length": length, "_type": "Sequence"}
    names = {"float": "float32", "double": "float64"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


def _to_tar(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    if not table.num_rows:
        raise ValueError("a WebDataset shard needs at least one sample: a tar without members is not readable")
    table = table.replace_schema_metadata(None)
    headers = {
        _SCHEMA_HEADER: bytes(table.schema.serialize()).hex(),
        _METADATA_HEADER: json.dumps(dict(metadata), sort_keys=True),
    }
    seen: set[str] = set()
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for row in table.to_pylist():
            key = _key(row["sample_id"])
            if key in seen:
                raise ValueError(f"two samples of the shard share the tar key {key!r}")
            seen.add(key)
            for column, ending in _IMAGES.items():
                image = row.get(column)
                if image is not None:
                    row[column] = {"path": image["path"]}
                    if image["bytes"] is not None:
                        _add(tar, f"{key}.{ending}", image["bytes"])
            _add(tar, f"{key}.json", _row_json(row, key))
    return sink.getvalue()


def _row_json(row: dict[str, Any], key: str) -> bytes:
    try:
        return json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as error:
        raise ValueError(f"sample {key} holds a number that JSON cannot: {error}") from error


def _key(sample_id: str) -> str:
    key = sample_id.replace("/", "_")
    if not _SAFE_KEY.fullmatch(key):
        # A dot would split the key and a slash would leave the folder that the tar is unpacked in.
        raise ValueError(f"sample id {sample_id!r} cannot name a WebDataset sample")
    return key


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(data))


def _from_tar(data: bytes) -> pa.Table:
    rows: list[dict[str, Any]] = []
    images: dict[str, bytes] = {}
    endings = set(_IMAGES.values())
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        schema = pa.ipc.read_schema(pa.BufferReader(bytes.fromhex(tar.pax_headers[_SCHEMA_HEADER])))
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None, "a shard's tar holds regular files only"
            key, _, ending = member.name.partition(".")
            if ending in endings:
                images[member.name] = file.read()
                continue
            row = json.loads(file.read())
            for column, own in _IMAGES.items():
                if row.get(column) is not None:
                    row[column]["bytes"] = images.get(f"{key}.{own}")
            rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema)
