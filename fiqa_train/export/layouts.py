"""Export of a finished run in the published layout, as Parquet or WebDataset; the folder is complete or absent."""

import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.cluster.commits.shard_formats import SUFFIX, Format, encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.export.dataset_card import dataset_card
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import by_shard, pair_shards, read_part
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit
from synfiqa.schemas.rows import LABELS

Layout = Literal["synfiqa", "webdataset", "parquet"]
SCORES = "Quality-Scores.txt"
CARD = "README.md"
_PUBLISHED_COLUMNS = ("sample_id", "identity", "kind", "index", "image")
_LABEL_COLUMNS = ("sample_id", "quality", "group")


def run_export(storage: Storage, out: Path, layout: Layout, label_name: str) -> dict[str, int]:
    """Write the run below `out` and return how many images, labels and files it has.

    synfiqa: `data/<id>/Ref-k.jpg`, `data/<id>/k.jpg` and `Quality-Scores.txt`, one `/<id>/<k>.jpg<TAB>score` line per
    degraded image in numeric order. parquet, webdataset: one file a shard in `data/`, samples with their `quality`
    and `group` (null for references). Every layout has a `README.md`, the dataset card. UserError when `out` exists
    and is not an empty folder, or the labels are missing.
    """
    out = out.expanduser().absolute()
    store = ShardStore(storage, load_run(storage).fingerprint)
    calibration = require_calibration(storage, label_name)
    commits = require_fresh_labels(store, calibration).shards
    _require_free(out)
    with _whole_folder(out) as folder:
        if layout == "synfiqa":
            counts = _published_layout(_labelled_tables(store, commits, calibration, _PUBLISHED_COLUMNS), folder)
        else:
            counts = _labelled_shards(_labelled_tables(store, commits, calibration), folder, layout, store.fingerprint)
        text = dataset_card(load_run(storage), counts["images"], counts["labels"], label_name)
        (folder / CARD).write_text(text, encoding="utf-8")
        return counts


def _require_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; choose another --out or remove it")


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`, renamed to `out` at the end and removed on an error."""
    temporary = out.parent / f".{out.name}-{uuid.uuid4().hex[:12]}"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write beside {out} ({error.strerror}); choose another --out") from error
    try:
        yield temporary
        _require_free(out)
        temporary.replace(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _labelled_tables(
    store: ShardStore,
    commits: Mapping[int, Commit],
    calibration: Calibration,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[int, pa.Table]]:
    """Yield number and labelled samples of every shard with samples; only the labels of that shard are read."""
    parts = by_shard(shard.labels for shard in pair_shards(commits.values(), calibration.parts))
    unlabelled = pa.schema([LABELS.field(name) for name in _LABEL_COLUMNS]).empty_table()
    for number, commit in commits.items():
        if not commit.file.rows:
            continue  # all samples of the shard are dead
        own = [read_part(store.storage, part, _LABEL_COLUMNS) for part in parts.get(number, ())]
        yield number, _with_labels(store.read(commit, columns), pa.concat_tables([unlabelled, *own]))


def _published_layout(shards: Iterable[tuple[int, pa.Table]], folder: Path) -> dict[str, int]:
    scores: list[tuple[int, int, float]] = []
    images = 0
    for _, table in shards:
        for row in table.to_pylist():
            identity, index = int(row["identity"]), int(row["index"])
            # File names come from numbers alone: text of the data could lead out of the folder.
            stem = f"Ref-{index}" if row["kind"] == "reference" else f"{index}"
            target = folder / "data" / str(identity) / f"{stem}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            if row["image"] is None or row["image"]["bytes"] is None:
                raise JobFailed(f"sample {row['sample_id']} has no image; generate the run again in a new folder")
            with target.open("xb") as file:
                file.write(row["image"]["bytes"])
            images += 1
            if row["kind"] == "degraded":
                scores.append((identity, index, row["quality"]))
    lines = [f"/{identity}/{index}.jpg\t{score!r}\n" for identity, index, score in sorted(scores)]
    (folder / SCORES).write_text("".join(lines), encoding="utf-8")
    return {"images": images, "labels": len(scores), "files": images + 1}


def _labelled_shards(
    shards: Iterable[tuple[int, pa.Table]], folder: Path, format: Format, fingerprint: str
) -> dict[str, int]:
    counts = {"images": 0, "labels": 0, "files": 0}
    # In a folder of its own, because readers of Parquet folders fail on the dataset card.
    folder = folder / "data"
    folder.mkdir()
    for number, table in shards:
        metadata = {"kind": "samples", "number": str(number), "fingerprint": fingerprint}
        try:
            data = encode(table, format, metadata)
        except ValueError as error:
            raise JobFailed(f"shard {number} cannot be written as {format}: {error}; export another layout") from error
        (folder / f"shard-{number:06d}.{SUFFIX[format]}").write_bytes(data)
        counts["images"] += table.num_rows
        counts["labels"] += table.num_rows - table["quality"].null_count
        counts["files"] += 1
    return counts


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
