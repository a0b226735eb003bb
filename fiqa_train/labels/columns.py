"""Degraded samples of a run as flat columns, as the label pass keeps them in memory.

Some fifty bytes a row, and four more for each severity (synfiqa.fiqa_train.labels.severities) where s_d is made of
costs.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.actors.stages.columns import set_columns
from synfiqa.fiqa_train.labels.fusion import Components, Labels
from synfiqa.fiqa_train.labels.severities import Severities, flat_columns, severities, severity_columns, severity_names
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.rows import LABELS

COLUMNS = ("sample_id", "identity", "kind", "recognition", "vision_language", "measured_yaw", "downsample", "blur")
"""The columns of a shard that the label pass needs."""

_MORE_RECOGNITION = "more_recognition"

_MEASURED = {"recognition": "recognition", "vision_language": "vision_language", "yaw": "measured_yaw"}
_MEASURED |= {"downsample": "downsample", "blur": "blur"}


def columns(embedder: str = "", costs: bool = False, plugged: Sequence[Factor] = ()) -> tuple[str, ...]:
    """Return the columns of a shard that a label pass needs; `embedder` is one of `models.more_embedders` or empty.

    With `costs` they include those of every factor, `plugged` being the rows of plug-ins.
    """
    further = [name for name in severity_columns(plugged) if name not in COLUMNS] if costs else []
    return (*COLUMNS, *further, *([_MORE_RECOGNITION] if embedder else []))


class LabelRows:
    """Degraded rows of the shards in order; float32 as stored, without rounding.

    `capacity` bounds their number; memory grows with the rows added. `embedder` names the one of
    `models.more_embedders` whose cosines are f_r; empty for the run's own. With `costs` the severities of all factors
    are kept too, those of the rows of plug-ins (`plugged`) included.
    """

    def __init__(self, capacity: int, embedder: str = "", costs: bool = False, plugged: Sequence[Factor] = ()) -> None:
        self._embedder, self._plugged = embedder, tuple(plugged)
        self._columns = {name: np.empty(capacity, np.float32) for name in _MEASURED}
        factors = severity_names(plugged) if costs else ()
        self._severities = {name: np.empty(capacity, np.float32) for name in factors}
        self._named: list[pa.Table] = []
        self._starts = [0]

    def __len__(self) -> int:
        """Number of degraded rows so far."""
        return self._starts[-1]

    def add(self, samples: pa.Table) -> None:
        """Append the degraded rows of the next shard (see `columns`); a null component becomes NaN."""
        rows = samples.filter(pc.equal(samples["kind"], "degraded"))
        if self._embedder:
            rows = set_columns(rows, {"recognition": _cosines_by(rows[_MORE_RECOGNITION], self._embedder)})
        own = slice(len(self), len(self) + rows.num_rows)
        for name, column in _MEASURED.items():
            self._columns[name][own] = rows[column].to_numpy()
        if self._severities:
            for name, values in severities(flat_columns(rows, self._plugged), self._plugged).items():
                self._severities[name][own] = values
        self._named.append(rows.select(["sample_id", "identity"]).combine_chunks())
        self._starts.append(own.stop)

    def components(self) -> Components:
        """Return views of the components of all rows, with the magnitude of the yaw."""
        columns = {name: values[: len(self)] for name, values in self._columns.items()}
        np.abs(columns["yaw"], out=columns["yaw"])
        return Components(**columns)

    def severities(self) -> Severities | None:
        """Return views of the severities of all rows; None where they are not kept."""
        return {name: values[: len(self)] for name, values in self._severities.items()} or None

    def sample_id(self, row: int) -> str:
        """Return the sample_id of one row."""
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._named[shard]["sample_id"][row - self._starts[shard]].as_py()

    def repeated_id(self) -> str | None:
        """Return a sample_id that occurs twice, or None; takes eight bytes a row, for hashes."""
        ids = [_contiguous(named["sample_id"]) for named in self._named]
        hashes = np.concatenate([np.empty(0, np.uint64), *map(_hashes, ids)])
        hashes.sort()
        suspects = hashes[1:][hashes[1:] == hashes[:-1]]
        del hashes
        if not len(suspects):
            return None
        seen: set[str] = set()
        for names in ids:
            for name in names.filter(pa.array(np.isin(_hashes(names), suspects))).to_pylist():
                # Different names may share a hash, so the names are compared.
                if name in seen:
                    return str(name)
                seen.add(name)
        return None

    def labelled(self, shard: int, labels: Labels) -> pa.Table:
        """Return the label rows (schema `LABELS`) of the shard that was added as number `shard`."""
        own = slice(self._starts[shard], self._starts[shard + 1])
        columns = {name: values[own] for name, values in vars(labels).items() if name != "clipped"}
        columns |= {name: self._columns[name][own] for name in ("recognition", "vision_language")}
        named = self._named[shard]
        return pa.table({name: columns[name] if name in columns else named[name] for name in LABELS.names}, LABELS)


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
