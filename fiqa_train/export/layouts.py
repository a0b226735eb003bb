"""Export of a finished run in the published layout, as Parquet or WebDataset; the folder is complete or absent."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.export.dataset_card import dataset_card
from synfiqa.fiqa_train.export.ofiq_rows import CommandedRows, commanded_csv
from synfiqa.fiqa_train.export.shard_export import Exported, Layout, ShardExport, write_files
from synfiqa.fiqa_train.export.whole_folder import require_free, whole_folder
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import by_shard, pair_shards
from synfiqa.schemas.config.cluster import ResilienceSection

SCORES = "Quality-Scores.txt"
CARD = "README.md"
OFIQ = "OFIQ-Commanded.csv"
LINES = 65_536
"""Lines of scores that are written at once."""

_DEFAULT_RESILIENCE = ResilienceSection()
_NO_SCORES = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def run_export(
    storage: Storage,
    out: Path,
    layout: Layout,
    label_name: str,
    resilience: ResilienceSection = _DEFAULT_RESILIENCE,
    *,
    ofiq: bool = False,
) -> dict[str, int]:
    """Write the run below `out` and return how many images, labels and files it has.

    synfiqa: `data/<id>/Ref-k.jpg`, `data/<id>/k.jpg` and `Quality-Scores.txt`, one `/<id>/<k>.jpg<TAB>score` line per
    degraded image in numeric order. parquet, webdataset: one file a shard in `data/`, samples with their `quality`
    and `group` (null for references). Every layout has a `README.md`, the dataset card, and with `ofiq` an
    `OFIQ-Commanded.csv`, whose file names are those of the published layout. UserError when `out` exists
    and is not an empty folder, or the labels are missing.
    """
    out = out.expanduser().absolute()
    manifest = load_run(storage)
    store = ShardStore(storage, manifest.fingerprint)
    calibration = require_calibration(storage, label_name)
    commits = require_fresh_labels(store, calibration).shards
    parts = by_shard(shard.labels for shard in pair_shards(commits.values(), calibration.parts))
    # Shards whose samples are all dead have no rows.
    shards = [(commit, parts.get(number, [])) for number, commit in commits.items() if commit.file.rows]
    require_free(out)
    with whole_folder(out) as folder:
        (folder / "data").mkdir()
        # A shard a task, since its files may travel to this machine.
        tasks = ShardTasks("export", storage, resilience, most_shards=1)
        counts = _collect(tasks.map(ShardExport(store, layout, folder, ofiq), shards), folder, layout)
        text = dataset_card(manifest, counts["images"], counts["labels"], label_name)
        (folder / CARD).write_text(text, encoding="utf-8")
        return counts


def _collect(exported: Iterable[Exported], folder: Path, layout: Layout) -> dict[str, int]:
    """Write what is not written yet, and of the published layout the scores; return the counts."""
    counts = {"images": 0, "labels": 0, "files": 0}
    scores: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    components: list[CommandedRows] = []
    for shard in exported:
        write_files(folder, shard.files)
        counts["images"] += shard.images
        counts["labels"] += shard.labels
        counts["files"] += shard.written
        if shard.scores is not None:
            scores.append(shard.scores)
        if shard.components is not None:
            components.append(shard.components)
    if layout == "synfiqa":
        _write_scores(scores, folder / SCORES)
        counts["files"] += 1
    if components:
        with (folder / OFIQ).open("w", encoding="utf-8") as file:
            file.writelines(commanded_csv(components))
        counts["files"] += 1
    return counts


def _write_scores(scores: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], path: Path) -> None:
    """Write a line an image, in order of identity and index."""
    identity, index, quality = (np.concatenate([*columns]) for columns in zip(_NO_SCORES, *scores, strict=True))
    order = np.lexsort((index, identity))
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, len(order), LINES):
            rows = order[start : start + LINES]
            named = zip(identity[rows].tolist(), index[rows].tolist(), quality[rows].tolist(), strict=True)
            file.writelines(f"/{own}/{number}.jpg\t{score!r}\n" for own, number, score in named)
