"""Portraits of a run: degraded by the recipe of their sample, scored, one shard at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synfiqa.actors.degradation.portrait import degraded_portrait
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.quality.measures.portrait_measures import DEFAULT_MEASURE, PORTRAIT_MEASURES
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import finished_shards, require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import by_shard, pair_shards, read_part
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem
from synfiqa.fiqa_train.portraits.score_column import ScoreColumn, score_column
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit, DataFile, RunManifest
from synfiqa.schemas.recipe import column_of, recipe_fields
from synfiqa.schemas.rows import PORTRAITS, recipe_from_row

_OWN = ("sample_id", "identity", "kind", "index")
Shard = tuple[Commit, Sequence[DataFile]]
"""A committed shard and its label parts."""


@dataclass(frozen=True)
class RunPortraits:
    """The portraits of one run: iterate it, or read the items of one shard at a time. It travels to workers.

    Items of one shard are in the order of its rows: identities ascending, references before degraded samples. Names are
    sample ids with `_` for `/`. References are clean; a score by a label leaves them out.
    """

    store: ShardStore
    shards: tuple[Shard, ...]
    score: ScoreColumn

    def __iter__(self) -> Iterator[PortraitItem]:
        """Yield the portraits of all shards in order."""
        for shard in self.shards:
            yield from self.items(shard)

    def items(self, shard: Shard) -> Iterator[PortraitItem]:
        """Yield the portraits of one shard; JobFailed for a damaged file, or a sample without portrait or label."""
        commit, parts = shard
        recipe = (column_of(path) for path, _ in recipe_fields())
        columns = dict.fromkeys((*_OWN, *recipe, *PORTRAITS.names, *filter(None, [self.score.sample])))
        labels = dict[str, float]()
        if self.score.label:
            for part in parts:
                labelled = read_part(self.store.storage, part, self.score.label_columns)
                labels.update(zip(*(labelled[name].to_pylist() for name in self.score.label_columns), strict=True))
        samples = self.store.read(commit, list(columns))
        for batch in samples.to_batches(max_chunksize=64):
            for row in batch.to_pylist():
                if self.score.label and row["kind"] == "reference":
                    continue
                yield self._item(row, labels)

    def _item(self, row: dict[str, Any], labels: dict[str, float]) -> PortraitItem:
        if row["portrait"] is None or row["portrait"]["bytes"] is None or row["portrait_landmarks"] is None:
            raise JobFailed(f"sample {row['sample_id']} has no portrait; generate the run again in a new folder")
        clean = decode(row["portrait"]["bytes"], f"the portrait of sample {row['sample_id']}")
        landmarks = np.array(row["portrait_landmarks"], np.float32).reshape(-1, 2)
        made = degraded_portrait(clean, landmarks, recipe_from_row(row))
        if self.score.label:
            score = labels.get(row["sample_id"])
        elif self.score.sample:
            score = row[self.score.sample]
        else:
            score = PORTRAIT_MEASURES[self.score.name][0](clean, made.image, landmarks)
        if score is None:
            raise JobFailed(f"sample {row['sample_id']} has no {self.score.name}; run `synfiqa label` again")
        number = f"Ref-{row['index']}" if row["kind"] == "reference" else str(row["index"])
        # Names come from numbers alone: text of the data could lead out of a folder.
        group = f"{int(row['identity']):06d}"
        measure = "" if self.score.label or self.score.sample else self.score.name
        return PortraitItem(
            f"{group}_{number}",
            made.image,
            landmarks,
            float(score),
            group,
            made.values,
            clean if measure else None,
            measure,
        )


def run_portraits(storage: Storage, score: str = DEFAULT_MEASURE, label_name: str = "default") -> RunPortraits:
    """Return the portraits of a run, scored by likeness to the clean portrait, a label column or a scorer of the run.

    UserError when there is no run, it is not finished, keeps no portraits or has no such score, or its labels are
    missing or older than its shards.
    """
    manifest = load_run(storage)
    require_portraits(manifest, storage)
    column = score_column(score, manifest)
    store = ShardStore(storage, manifest.fingerprint)
    parts: dict[int, list[DataFile]] = {}
    if column.label:
        calibration = require_calibration(storage, label_name)
        commits = require_fresh_labels(store, calibration).shards
        parts = by_shard(shard.labels for shard in pair_shards(commits.values(), calibration.parts))
    else:
        finished = finished_shards(storage, store.committed("samples"), manifest)
        commits = {commit.number: commit for commit in finished}
    # Shards whose samples are all dead have no rows.
    shards = tuple((commit, tuple(parts.get(number, ()))) for number, commit in commits.items() if commit.file.rows)
    return RunPortraits(store, shards, column)


def require_portraits(manifest: RunManifest, storage: Storage) -> None:
    """UserError when a run was generated without `storage.portraits`."""
    if not manifest.recipe["storage"].get("portraits"):
        raise UserError(
            f"{storage.uri()} keeps no portraits: generate a run with `--set storage.portraits=true` in another "
            "folder, or this one anew with --new-generation"
        )
