"""What a label pass takes from one shard: the components of its degraded samples as flat columns, and their names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.stages.columns import set_columns
from synfiqa.fiqa_train.labels.fusion import Components, invalid
from synfiqa.fiqa_train.labels.severities import Severities, flat_columns, severities, severity_columns
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.factors.factor import Factor

COLUMNS = ("sample_id", "identity", "kind", "recognition", "vision_language", "measured_yaw", "downsample", "blur")
"""The columns of a shard that the label pass needs."""

_MORE_RECOGNITION = "more_recognition"

MEASURED = {"recognition": "recognition", "vision_language": "vision_language", "yaw": "measured_yaw"}
MEASURED |= {"downsample": "downsample", "blur": "blur"}
"""Component -> column of a sample."""

_NAMES = ("sample_id", "identity")


def columns(embedder: str = "", costs: bool = False, plugged: Sequence[Factor] = ()) -> tuple[str, ...]:
    """Return the columns of a shard that a label pass needs; `embedder` is one of `models.more_embedders` or empty.

    With `costs` they include those of every factor, `plugged` being the rows of plug-ins.
    """
    further = [name for name in severity_columns(plugged) if name not in COLUMNS] if costs else []
    return (*COLUMNS, *further, *([_MORE_RECOGNITION] if embedder else []))


@dataclass(frozen=True)
class ShardNames:
    """Names and identities of N samples, `packed` in a byte or two a row, and `hashes` (uint64) of the names."""

    packed: bytes
    hashes: np.ndarray


@dataclass(frozen=True)
class ShardRows:
    """The N degraded samples of a shard, in order; a null component is NaN.

    `packed` are their names and identities in a byte or two a row, and `hashes` (uint64) those of the names. `centred`
    are their cosines where label.form is centred, and `references` (R,) those of the shard's references.
    """

    components: Components
    packed: bytes
    hashes: np.ndarray
    severities: Severities = field(default_factory=dict)
    centred: np.ndarray | None = None
    references: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.hashes)

    @cached_property
    def bad(self) -> np.ndarray:
        """Return the rows without a valid component (`invalid`)."""
        found = invalid(self.components)
        return np.flatnonzero(found if self.centred is None else found | ~np.isfinite(self.centred))

    def describe_bad(self) -> str:
        """Return name and components of the first row without a valid component, for a message."""
        row = self.bad[0]
        values = {name: float(column[row]) for name, column in vars(self.components).items()}
        values |= {} if self.centred is None else {"centred cosine": float(self.centred[row])}
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return f"sample {unpack_names(self.packed)['sample_id'][row]} cannot be labelled ({shown}"


def degraded_rows(samples: pa.Table, wanted: np.ndarray | None = None) -> pa.Table:
    """Return the degraded rows of a shard, or those of them for which `wanted`, bool (N,), holds."""
    rows = samples.filter(pc.equal(samples["kind"], "degraded"))
    return rows if wanted is None else rows.filter(pa.array(wanted))


def face_images(rows: pa.Table) -> np.ndarray:
    """Return the faces of rows with columns sample_id and image, uint8 RGB (N, 112, 112, 3); JobFailed without one."""
    encoded = [row and row["bytes"] for row in rows["image"].to_pylist()]
    if None in encoded:
        name = rows["sample_id"][encoded.index(None)]
        raise JobFailed(f"sample {name} has no image; generate the run again in a new folder")
    return np.stack([decode(data) for data in encoded]) if encoded else np.empty((0, 112, 112, 3), np.uint8)


def shard_rows(
    samples: pa.Table,
    embedder: str = "",
    costs: bool = False,
    plugged: Sequence[Factor] = (),
    wanted: np.ndarray | None = None,
) -> ShardRows:
    """Return the degraded rows of a shard (see `columns`), as stored and with the magnitude of the yaw.

    `embedder` names the one of `models.more_embedders` whose cosines are f_r; empty for the run's own. With `costs`
    the severities of all factors are taken too, those of the rows of plug-ins (`plugged`) included. `wanted` selects
    among the degraded rows.
    """
    rows = degraded_rows(samples, wanted)
    if embedder:
        rows = set_columns(rows, {"recognition": _cosines_by(rows[_MORE_RECOGNITION], embedder)})
    measured = {name: rows[column].to_numpy().astype(np.float32) for name, column in MEASURED.items()}
    np.abs(measured["yaw"], out=measured["yaw"])
    return ShardRows(
        Components(**measured),
        _pack_names(rows.select(_NAMES)),
        _hashes(_contiguous(rows["sample_id"])),
        severities(flat_columns(rows, plugged), plugged) if costs else {},
    )


def shard_names(samples: pa.Table) -> ShardNames:
    """Return names and identities of the rows of a shard."""
    return ShardNames(_pack_names(samples.select(_NAMES)), _hashes(_contiguous(samples["sample_id"])))


def unpack_names(packed: bytes) -> pa.Table:
    """Return sample_id and identity of the rows of a shard."""
    return pq.read_table(pa.BufferReader(packed))


def repeated_in(packed: Sequence[bytes], suspects: np.ndarray) -> str | None:
    """Return a name that occurs twice in shards among those with one of these hashes, or None."""
    seen: set[str] = set()
    for shard in packed:
        names = _contiguous(unpack_names(shard)["sample_id"])
        for name in names.filter(pa.array(np.isin(_hashes(names), suspects))).to_pylist():
            # Different names may share a hash, so the names are compared.
            if name in seen:
                return str(name)
            seen.add(name)
    return None


def _pack_names(names: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    # Names of a shard mostly differ in their last characters, and identities repeat.
    encodings = {"sample_id": "DELTA_BYTE_ARRAY", "identity": "DELTA_BINARY_PACKED"}
    pq.write_table(names, sink, use_dictionary=False, column_encoding=encodings, compression="zstd")
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _cosines_by(cosines: pa.ChunkedArray, embedder: str) -> pa.Array:
    """Return the cosine by one embedder of each row, null where it was not measured."""
    column = cosines.combine_chunks()
    rows, entries = pc.list_parent_indices(column), pc.list_flatten(column)
    mine = pc.equal(pc.struct_field(entries, "embedder"), embedder)
    found = np.full(len(column), np.nan, np.float32)
    found[rows.filter(mine).to_numpy()] = pc.struct_field(entries, "cosine").filter(mine).to_numpy()
    return pa.array(found, from_pandas=True)


def _contiguous(column: pa.ChunkedArray) -> pa.StringArray:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays([pa.array([], pa.string()), *column.chunks])


def _hashes(ids: pa.StringArray) -> np.ndarray:
    """Return FNV-1a hashes of the names, vectorised over all names at each byte position."""
    _, offsets, text = ids.buffers()
    bounds = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1].astype(np.int64)
    characters = np.frombuffer(text, np.uint8) if text is not None else np.empty(0, np.uint8)
    starts, lengths = bounds[:-1], np.diff(bounds)
    hashes = np.full(len(ids), 0xCBF29CE484222325, np.uint64)
    for position in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > position)
        hashes[longer] = (hashes[longer] ^ characters[starts[longer] + position]) * np.uint64(0x100000001B3)
    return hashes
