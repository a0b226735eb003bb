"""Labels of the samples that a run has gained, on the frozen scale of the labels that it has.

The labels that exist are not touched: new ones are further parts, and the calibration that names all parts is the next
revision of the last one, written last. Readers take the latest, so that the additions are complete or absent.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow.compute as pc

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.labels.by_scorer.label_source import label_source
from synfiqa.fiqa_train.labels.label_pass import (
    calibration_path,
    finished_shards,
    lease_check,
    read_calibration,
    require_calibration,
    require_same,
    summary,
)
from synfiqa.fiqa_train.labels.parts import by_shard, read_part, shard_of
from synfiqa.fiqa_train.labels.reading import ShardReading
from synfiqa.fiqa_train.labels.shard_labels import PartWriter
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit, DataFile, RunManifest

_RAW = ("recognition", "vision_language")


def run_label_additions(
    config: RunConfig, storage: Storage, *, lease: Lease | None = None, resolved: ResolvedRun | None = None
) -> dict[str, Any]:
    """Label the samples that `labels/<name>/` does not cover yet, on its scale, and return a summary.

    UserError when there are no labels of that name, when the config fuses in another way, or when labelled samples were
    made again since; JobFailed as in `run_label`; RunHeld when the run is taken over from `lease`.
    """
    manifest = load_run(storage)
    store = ShardStore(storage, manifest.fingerprint)
    committed = store.all_committed()
    commits = finished_shards(storage, committed.shards, manifest)
    name = config.label.name
    existing = read_calibration(storage, name)
    if existing is None:
        raise UserError(
            f"{storage.uri()} has no labels named {name!r} whose scale --frozen could take; "
            "run `synfiqa label` without it"
        )
    _require_fused_alike(config, storage, manifest, existing, resolved)
    dataset = committed.digest
    if existing.dataset_sha256 == dataset:
        return summary(existing, reused=True)

    preflight(storage)
    source = label_source(config, manifest, resolved)
    source.require_ready()
    check = lease_check(lease)
    reading = source.reading(manifest, source.vectors(store, check), existing.scale.centred)
    parts = list(existing.parts)
    labelled = by_shard(existing.parts)
    added = clipped = 0
    phase = Phase("label", len(commits), "shards")
    writer = PartWriter(storage, name, existing.scale, check)
    add = partial(_add_labels, store, reading, writer)
    shards = ((commit, labelled.get(commit.number, [])) for commit in commits)
    for part, outside in ShardTasks("label", storage, config.resilience).map(add, shards):
        if part is not None:
            parts.append(part)
            added, clipped = added + part.rows, clipped + outside
        phase.advance()
    phase.close(f"{added} new labels")
    calibration = existing.model_copy(
        update={
            "revision": existing.revision + 1,
            "dataset_sha256": dataset,
            "samples": existing.samples + added,
            "clipped": existing.clipped + clipped,
            "parts": sorted(parts, key=shard_of),
        }
    )
    require_held(lease)
    path = calibration_path(name, calibration.revision)
    if not storage.create(path, calibration.model_dump_json().encode() + b"\n"):
        first = require_calibration(storage, name)
        _require_fused_alike(config, storage, manifest, first, resolved)
        return summary(first, reused=True)
    return summary(calibration, reused=False)


def _require_fused_alike(
    config: RunConfig, storage: Storage, manifest: RunManifest, existing: Calibration, resolved: ResolvedRun | None
) -> None:
    source = label_source(config, manifest, resolved)
    frozen = source.frozen()
    threshold = source.threshold(frozen or existing.scale)
    require_same(storage, existing, source, threshold, existing.dataset_sha256, frozen)


def _add_labels(
    store: ShardStore, reading: ShardReading, writer: PartWriter, shard: tuple[Commit, Sequence[DataFile]]
) -> tuple[DataFile | None, int]:
    """Label the samples of a shard that its parts do not cover; return as `PartWriter`."""
    commit, parts = shard
    labelled = sum(part.rows for part in parts)
    # A later revision may hold labelled samples that a replay has made again, and measured otherwise.
    if labelled == commit.counts.get("degraded") and not commit.revision:
        return None, 0
    labels = {
        row["sample_id"]: [row[name] for name in _RAW]
        for part in parts
        for row in read_part(store.storage, part, ["sample_id", *_RAW]).to_pylist()
    }
    table = store.read(commit, reading.columns)
    samples = table.filter(pc.equal(table["kind"], "degraded"))
    names = samples["sample_id"].to_pylist()
    has_label = np.array([name in labels for name in names], bool)
    _require_unchanged(store, commit, reading.stored(samples), names, labels)
    new = reading.rows(samples.num_rows)
    new.add(reading.shard(table, commit, ~has_label))
    if not len(new):
        return None, 0
    new.require_valid()
    return writer((commit.number, new.shard(0)))


def _require_unchanged(
    store: ShardStore,
    commit: Commit,
    stored: Mapping[str, Sequence[float]],
    names: Sequence[str],
    labels: Mapping[str, Sequence[float]],
) -> None:
    """Raise UserError when a labelled sample measures otherwise than its label records, JobFailed when it is gone."""
    if gone := sorted(labels.keys() - set(names)):
        raise JobFailed(
            f"sample {gone[0]} has a label but is not in shard {commit.number} of {store.storage.uri()}; "
            "see `synfiqa verify`, and label under another label.name"
        )
    measured = zip(*(stored[name] for name in _RAW), strict=True)
    changed = [n for n, values in zip(names, measured, strict=True) if n in labels and list(values) != labels[n]]
    if changed:
        raise UserError(
            f"{len(changed)} labelled samples of shard {commit.number} were made again by a replay and measure "
            f"otherwise ({changed[0]}), so their labels cannot stay; choose another label.name and run `synfiqa label`"
        )
