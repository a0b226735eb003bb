"""Files of one shard in an export: made in this process or in a task, and written there if the folder is seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.cluster.commits.shard_formats import SUFFIX, Format, encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.fiqa_train.export.ofiq_rows import CommandedRows, commanded_rows, published_path
from synfiqa.fiqa_train.export.scorer_columns import scorer_rows
from synfiqa.fiqa_train.labels.parts import read_part
from synfiqa.fiqa_train.ofiq.commanded_components import COLUMNS
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit, DataFile
from synfiqa.schemas.rows import LABELS

Layout = Literal["synfiqa", "webdataset", "parquet"]

_PUBLISHED_COLUMNS = ("sample_id", "identity", "kind", "index", "image")
_LABEL_COLUMNS = ("sample_id", "quality", "group")


@dataclass(frozen=True)
class Exported:
    """What one shard adds to an export.

    scores: identity and index (int64) and quality of the labelled images; of the published layout alone.
    components: OFIQ's of the images as far as a run states them, where they are wanted.
    scorers: scores of `models.scorers`, where the run has them; of the published layout alone.
    files: path below the folder -> bytes, of files that are not written yet.
    """

    images: int
    labels: int
    written: int
    files: Mapping[str, bytes]
    scores: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    components: CommandedRows | None = None
    scorers: pa.Table | None = None


@dataclass(frozen=True)
class ShardExport:
    """Exports shards of a run in a layout to a folder of the driver's machine, with components of OFIQ on request.

    `scorers` are the columns of `models.scorers`, which the published layout has in a file of their own.
    """

    store: ShardStore
    layout: Layout
    folder: Path
    ofiq: bool = False
    scorers: tuple[str, ...] = ()

    def __call__(self, shard: tuple[Commit, Sequence[DataFile]]) -> Exported:
        """Make the files of a shard, given by its commit and label parts, and write them where the folder is seen.

        On other machines they are returned. JobFailed when a file is damaged or a sample has no label or image.
        """
        commit, parts = shard
        table = self._labelled(commit, parts)
        files = dict(_published(table) if self.layout == "synfiqa" else self._file(commit.number, table, self.layout))
        scores = _scores(table) if self.layout == "synfiqa" else None
        written = len(files)
        # The folder has a random name, so that one of this name is the same folder.
        if self.folder.is_dir():
            write_files(self.folder, files)
            files = {}
        labels = table.num_rows - table["quality"].null_count
        components = commanded_rows(table) if self.ofiq else None
        beside = scorer_rows(table, self.scorers) if self.scorers and self.layout == "synfiqa" else None
        return Exported(table.num_rows, labels, written, files, scores, components, beside)

    def _labelled(self, commit: Commit, parts: Sequence[DataFile]) -> pa.Table:
        unlabelled = pa.schema([LABELS.field(name) for name in _LABEL_COLUMNS]).empty_table()
        own = [read_part(self.store.storage, part, _LABEL_COLUMNS) for part in parts]
        columns = (*_PUBLISHED_COLUMNS, *self.scorers, *(COLUMNS if self.ofiq else ()))
        samples = self.store.read(commit, columns if self.layout == "synfiqa" else None)
        return _with_labels(samples, pa.concat_tables([unlabelled, *own]))

    def _file(self, number: int, table: pa.Table, format: Format) -> Iterator[tuple[str, bytes]]:
        metadata = {"kind": "samples", "number": str(number), "fingerprint": self.store.fingerprint}
        try:
            data = encode(table, format, metadata)
        except ValueError as error:
            raise JobFailed(f"shard {number} cannot be written as {format}: {error}; export another layout") from error
        # In a folder of its own, because readers of Parquet folders fail on the dataset card.
        yield f"data/shard-{number:06d}.{SUFFIX[format]}", data


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder; a task that runs again writes the same ones."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _published(table: pa.Table) -> Iterator[tuple[str, bytes]]:
    for row in table.to_pylist():
        # File names come from numbers alone: text of the data could lead out of the folder.
        path = published_path(int(row["identity"]), int(row["index"]), reference=row["kind"] == "reference")
        if row["image"] is None or row["image"]["bytes"] is None:
            raise JobFailed(f"sample {row['sample_id']} has no image; generate the run again in a new folder")
        yield path, row["image"]["bytes"]


def _scores(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    degraded = table.filter(pc.equal(table["kind"], "degraded"))
    identity, index = (degraded[name].to_numpy().astype(np.int64) for name in ("identity", "index"))
    return identity, index, degraded["quality"].to_numpy().astype(np.float64)


def _with_labels(samples: pa.Table, labels: pa.Table) -> pa.Table:
    """Join labels to samples by sample id, in the order of the samples; JobFailed for a degraded sample without one."""
    rows = pc.index_in(samples["sample_id"], value_set=labels["sample_id"])
    unlabelled = pc.and_(rows.is_null(), pc.equal(samples["kind"], "degraded"))
    if pc.any(unlabelled).as_py():
        first = samples["sample_id"].filter(unlabelled)[0]
        raise JobFailed(f"sample {first} has no label; run `synfiqa label` with another label.name and export that")
    for name in ("quality", "group"):
        samples = samples.append_column(name, labels[name].take(rows))
    return samples
