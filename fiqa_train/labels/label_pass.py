"""The label pass: fuses raw components of all committed samples into quality labels, without decoding images."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.cluster.commits.column_reads import in_order
from synfiqa.cluster.commits.shard_formats import decode
from synfiqa.cluster.commits.shard_store import Committed, ShardStore, read_verified
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.ray_cluster.ray_address import cluster_at_hand
from synfiqa.cluster.run.file_roles import CALIBRATION
from synfiqa.cluster.run.fingerprint import canonical_json
from synfiqa.cluster.run.growth import unfilled
from synfiqa.cluster.run.lease import RECENT_S, Lease, require_held
from synfiqa.cluster.run.manifest import load_run, planned_shards
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.labels.by_scorer.label_source import LabelSource, label_source, scorer_title
from synfiqa.fiqa_train.labels.centred.cosines import mean_vector
from synfiqa.fiqa_train.labels.centred.shard_vectors import ShardVectors, space_of
from synfiqa.fiqa_train.labels.parts import read_part
from synfiqa.fiqa_train.labels.reading import ShardReading
from synfiqa.fiqa_train.labels.scales.frozen_scale import fusion_fields, parse_calibration, shown
from synfiqa.fiqa_train.labels.shard_labels import PartWriter
from synfiqa.schemas.calibration import Calibration, CentredSpace, Scale
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Commit, DataFile, RunManifest

Progress = Callable[[int, int], None]
"""Called with shards done and shards planned; each shard counts once when read and once when labelled, and before both
once when its vectors are summed, where labels are centred."""


def run_label(
    config: RunConfig,
    storage: Storage,
    progress: Progress | None = None,
    *,
    lease: Lease | None = None,
    resolved: ResolvedRun | None = None,
    store: ShardStore | None = None,
) -> dict[str, Any]:
    """Write `labels/<name>/` for the finished run and return a summary; an existing pass is left as it is.

    UserError when the name holds other labels or the frozen calibration does not fit; JobFailed when generation has not
    finished or a sample has no valid components; RunHeld, before the next write, when the run is taken over from
    `lease`. `calibration.json` is written last, so labels are complete or absent. A `store` that an earlier job has
    used does not read its commits again.
    """
    manifest = load_run(storage)
    store = store or ShardStore(storage, manifest.fingerprint)
    committed = store.all_committed()
    commits = finished_shards(storage, committed.shards, manifest)
    dataset = committed.digest
    source = label_source(config, manifest, resolved)
    measured, frozen = source.measured, source.frozen()
    threshold = source.threshold(frozen)
    existing = read_calibration(storage, config.label.name)
    if existing is not None:
        require_same(storage, existing, source, threshold, dataset, frozen)
        return summary(existing, reused=True)

    source.require_ready()
    preflight(storage)
    vectors = source.vectors(store, lease_check(lease))
    surveys = vectors is not None and frozen is None
    planned = (3 if surveys else 2) * len(commits)
    steps = count(1)
    phase = Phase("label", planned, "shards") if progress is None else None
    report = progress or (lambda done, _: phase.advance(done - phase.done) if phase else None)
    tasks = partial(ShardTasks, "label", storage, config.resilience)
    space = None if frozen is None else frozen.centred
    if vectors is not None and surveys:
        space = surveyed(config, vectors, tasks().map(vectors.sums, commits), lambda: report(next(steps), planned))
    reading = source.reading(manifest, vectors, space)
    samples = reading.rows(sum(commit.file.rows for commit in commits))
    reads = tasks(threads=reading.at_once)
    for rows in reads.map(partial(read_rows, store, reading), commits, here=reading.here):
        samples.add(rows)
        report(next(steps), planned)
    samples.require_valid()
    scale = samples.fit(config.label, threshold) if frozen is None else frozen

    require_held(lease)
    writer = PartWriter(storage, config.label.name, scale, lease_check(lease))
    shards = ((commit.number, samples.shard(index)) for index, commit in enumerate(commits))
    parts: list[DataFile] = []
    clipped = 0
    for part, outside in tasks().map(writer, shards):
        parts += [part] if part else []
        clipped += outside
        report(next(steps), planned)
    if phase is not None:
        phase.close(f"{len(samples)} labels")
    calibration = Calibration(
        name=config.label.name,
        fingerprint=manifest.fingerprint,
        dataset_sha256=dataset,
        embedder=measured.embedder,
        image_text=measured.image_text,
        mirrored=measured.mirrored,
        frozen_from="" if frozen is None else scale_digest(frozen),
        samples=len(samples),
        clipped=clipped,
        scale=scale,
        parts=parts,
    )
    require_held(lease)
    if not storage.create(calibration_path(config.label.name), calibration.model_dump_json().encode() + b"\n"):
        first = require_calibration(storage, config.label.name)
        require_same(storage, first, source, threshold, dataset, frozen)
        return summary(first, reused=True)
    return summary(calibration, reused=False)


def read_labels(storage: Storage, name: str) -> pa.Table:
    """Return all labels of a finished pass (schema `LABELS`) in shard order; join them by `sample_id`."""
    parts = require_calibration(storage, name).parts
    return pa.concat_tables([decode(read_verified(storage, part), "parquet") for part in parts])


def label_tables(storage: Storage, calibration: Calibration, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield these columns of the labels of a pass, one table a shard, in shard order, several files at a time."""
    yield from in_order(lambda part: read_part(storage, part, columns), calibration.parts)


def read_calibration(storage: Storage, name: str) -> Calibration | None:
    """Return the latest calibration of a finished label pass, or None when there is none of that name."""
    found = [match for path in storage.list(f"labels/{name}") if (match := CALIBRATION.fullmatch(path))]
    if not found:
        return None
    path = max(found, key=lambda match: int(match[2] or 0))[0]
    return parse_calibration(storage.uri(path), storage.read(path))


def require_calibration(storage: Storage, name: str) -> Calibration:
    """Return the calibration of a label pass; UserError when it has not been run."""
    calibration = read_calibration(storage, name)
    if calibration is None:
        raise UserError(f"{storage.uri()} has no labels named {name!r}; run `synfiqa label` first")
    return calibration


def require_fresh_labels(store: ShardStore, calibration: Calibration) -> Committed:
    """Return the commits of the run; UserError when shards were committed since the labels were made."""
    committed = store.all_committed()
    if committed.digest != calibration.dataset_sha256:
        raise UserError(
            f"labels '{calibration.name}' of {store.storage.uri()} are older than its shards; "
            "label what is new with `synfiqa label --frozen`, or choose another label.name and run `synfiqa label`"
        )
    return committed


def calibration_path(name: str, revision: int = 0) -> str:
    """Return the path of a calibration: `labels/NAME/calibration.json`, `labels/NAME/calibration.r001.json`."""
    return f"labels/{name}/calibration" + (f".r{revision:03d}" if revision else "") + ".json"


def finished_shards(storage: Storage, committed: Mapping[int, Commit], manifest: RunManifest) -> list[Commit]:
    """Return the commits of all shards; JobFailed when generation has not finished."""
    planned = planned_shards(manifest)
    missing = [number for number in range(planned) if number not in committed]
    if missing := sorted({*missing, *unfilled(committed.values(), manifest)}):
        raise JobFailed(
            f"generate has not finished: {planned - len(missing)} of {planned} shards are in {storage.uri()} "
            f"(shard {missing[0]} is missing); run `synfiqa generate` again"
        )
    return list(committed.values())


def require_same(
    storage: Storage,
    existing: Calibration,
    source: LabelSource,
    threshold: float | None,
    dataset: str,
    frozen: Scale | None,
) -> None:
    """Raise UserError when labels of that name were made in another way, or for another dataset."""
    embedder, section = source.measured.embedder, source.config.label
    checks = {
        "embedder": (existing.embedder or embedder, embedder),
        "label.scorer": (scorer_title(existing.scale.scorer), source.scorer_title),
        **_weights(existing.scale, source),
        **{
            f"label.{field}": (shown(theirs), shown(ours))
            for field, ours, theirs in fusion_fields(section, threshold, existing.scale)
        },
        "label.calibration": (
            existing.frozen_from[:12] or "none",
            "none" if frozen is None else scale_digest(frozen)[:12],
        ),
        "dataset digest": (existing.dataset_sha256[:12], dataset[:12]),
    }
    changed = [f"{field}: {old} -> {new}" for field, (old, new) in checks.items() if old != new]
    if changed:
        grown = changed[0].startswith("dataset digest")
        further = "label what is new with `synfiqa label --frozen`, " if grown else ""
        raise UserError(
            f"labels named {section.name!r} of {storage.uri()} were made differently ({'; '.join(changed)}); "
            f"{further}choose another label.name, or delete labels/{section.name}"
        )


def _weights(scale: Scale, source: LabelSource) -> dict[str, tuple[str, str]]:
    """Return the digests of the labelling embedder, of the pass and of the config, where both are centred."""
    if scale.centred is None or source.embedder is None:
        return {}
    return {"weights of label.embedder": (scale.centred.weights[:12], source.weights[:12])}


def surveyed(
    config: RunConfig, vectors: ShardVectors, shards: Iterable[tuple[np.ndarray, int]], advance: Callable[[], None]
) -> CentredSpace:
    """Return the space of centred or relative labels from the reference sums of all shards.

    JobFailed without any reference.
    """

    def counted() -> Iterator[tuple[np.ndarray, int]]:
        for sums in shards:
            yield sums
            advance()

    mean, references = mean_vector(counted())
    if not references:
        raise JobFailed("there are no references whose mean vector could be subtracted; generate some first")
    return space_of(vectors.model, mean, references, relative=config.label.form == "relative")


def read_rows(store: ShardStore, reading: ShardReading, commit: Commit) -> Any:
    """Return the rows of a shard to label; the other columns of a large Parquet file are not fetched."""
    return reading.shard(store.read_columns(commit, reading.columns), commit)


def lease_check(lease: Lease | None) -> Callable[[], None]:
    """Return what raises RunHeld when the run was taken over from the lease, for writes here or in tasks."""
    if lease is not None and cluster_at_hand():
        return lease.claim.check
    return partial(require_held, lease, RECENT_S)


def scale_digest(scale: Scale) -> str:
    """Return the SHA-256 (hex) of a scale."""
    # Omits defaults of fields added later, so that the digests of older passes stay valid.
    return hashlib.sha256(canonical_json(scale.model_dump(exclude_defaults=True))).hexdigest()


def summary(calibration: Calibration, *, reused: bool) -> dict[str, Any]:
    """Return what a pass has made, as JSON values."""
    return {
        "name": calibration.name,
        "samples": calibration.samples,
        "parts": len(calibration.parts),
        **({"form": calibration.scale.form} if calibration.scale.centred else {}),
        "spatial": calibration.scale.spatial,
        "spatial_weight": calibration.scale.spatial_weight,
        "vision_language_weight": calibration.scale.vision_language_weight,
        "match_threshold": calibration.scale.match_threshold,
        "raw_min": calibration.scale.raw_min,
        "raw_max": calibration.scale.raw_max,
        "clipped": calibration.clipped,
        "calibration": calibration_path(calibration.name, calibration.revision),
        "reused": reused,
    }
