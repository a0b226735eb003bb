"""The jobs that are measured, each on a synthetic run that exists; models and Ray are left out."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.growth.synthetic_run import EACH, MODELS, SyntheticRun, candidates, make, sample_counts
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.stages.identity_registry import COLUMNS, IdentityRegistry
from synfiqa.cluster.commits.ledger_commits import complete_ledger
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.run.manifest import open_run, planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.status import read_status
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.fiqa_train.evaluation.held_out import holding, read_held_out
from synfiqa.fiqa_train.export.layouts import run_export
from synfiqa.fiqa_train.labels.label_pass import require_calibration, run_label
from synfiqa.fiqa_train.labels.parts import labelled_identities, pair_shards
from synfiqa.fiqa_train.training.reading.reader import TrainingReader
from synfiqa.fiqa_train.training.reading.sources.committed import CommittedShards
from synfiqa.fiqa_train.training.splits import split_identities
from synfiqa.fiqa_train.training.task import split_run
from synfiqa.jobs.generation import identity_half, sample_half
from synfiqa.jobs.report_page.page import render_page
from synfiqa.schemas.config.train_data import AugmentSection


@dataclass(frozen=True)
class Job:
    """A job to measure: `index` jobs take a size more, and `wide` ones shards of many identities."""

    run: Callable[[SyntheticRun], object]
    index: bool = False
    wide: bool = False


def _commits(run: SyntheticRun) -> object:
    return run.store().all_committed().digest


def _restore(run: SyntheticRun) -> object:
    store = run.store()
    registry = IdentityRegistry(run.config.generate.identities, 0.999)
    for table in store.read_each(list(complete_ledger(store).values()), COLUMNS):
        registry.restore(table)
    return registry.accepted


def _label(run: SyntheticRun, spatial: str) -> object:
    shutil.rmtree(Path(run.folder) / "labels" / spatial, ignore_errors=True)
    section = run.config.label.model_copy(
        update={"name": spatial, "spatial": spatial, "match_threshold": None, "calibration": None}
    )
    config = run.config.model_copy(update={"label": section})
    return run_label(config, run.storage, lambda done, planned: None)["samples"]


def _split(run: SyntheticRun) -> object:
    return len(split_identities(range(run.config.generate.identities), 0.1, 0.2, 7))


def _export(run: SyntheticRun, layout: Any) -> object:
    out = Path(f"{run.folder}-export")
    counts = run_export(run.storage, out, layout, _labels(run))
    shutil.rmtree(out)
    return counts["images"]


def _labels(run: SyntheticRun) -> str:
    if not (Path(run.folder) / "labels" / "ranks" / "calibration.json").exists():
        _label(run, "ranks")
    return "ranks"


def _train(run: SyntheticRun) -> object:
    """Split the identities and read one epoch of training, in one process and without a network."""
    shards, identities, splits = _labelled(run)
    chosen = frozenset(identity for identity, split in splits.items() if split == "train")
    reader = TrainingReader(
        [CommittedShards.of(run.storage, shards, chosen, identities)],
        channels="gray",
        batch_size=64,
        seed=7,
        rank=0,
        world=1,
        augment=AugmentSection(),
        cache_rows=0,
    )
    return sum(len(batch.quality) for batch in reader.batches(0))


def _evaluate(run: SyntheticRun) -> object:
    """Read the held-out images and labels, without networks."""
    shards, identities, splits = _labelled(run)
    tested = {identity for identity, split in splits.items() if split == "test"}
    own = [one for one, _ in identities]
    return len(read_held_out(run.store(), holding(shards, own, tested), tested).identity)


def _labelled(run: SyntheticRun) -> tuple[Any, Any, Any]:
    calibration = require_calibration(run.storage, _labels(run))
    shards = pair_shards(run.store().all_committed().shards.values(), calibration.parts)
    identities = labelled_identities(run.storage, shards)
    return (
        shards,
        identities,
        split_run(run.config, (int(i) for own, _ in identities for i in own), (run.config.generate.identities,)),
    )


def _report(run: SyntheticRun) -> object:
    section = run.config.label.model_copy(update={"name": _labels(run)})
    return len(render_page(run.config.model_copy(update={"label": section}), run.storage))


def _verify(run: SyntheticRun) -> object:
    found = verify_run(run.storage, threads=1)
    assert not found.problems, found.problems[:3]
    return found.files


class _NoLease:
    claim = None

    def check(self) -> None:
        return

    def report(self, progress: object) -> None:
        return


def _generate(run: SyntheticRun) -> object:
    """Drive both halves with stages that return what is prepared: the work of the driver alone."""
    storage = Storage(f"{run.folder}-driver")
    config = run.config
    manifest = open_run(storage, config, MODELS)
    store = ShardStore(storage, manifest.fingerprint)

    def stream(stages: Sequence[object], units: Sequence[Work], *_: object, **__: object) -> Iterator[Work]:
        for unit in units:
            if unit.kind == "samples":
                made = sample_counts(EACH * (unit.plan["last"] - unit.plan["first"] + 1))
                yield Work("samples", unit.number, unit.table, plan=unit.plan, counts=made)
                continue
            fresh = candidates(unit.number, range(unit.plan["first"], unit.plan["first"] + unit.plan["count"]))
            fresh = fresh.set_column(fresh.schema.get_field_index("status"), "status", [[""] * fresh.num_rows])
            yield Work("identities", unit.number, fresh, plan=unit.plan)

    identity_half.stream, before = stream, identity_half.stream  # type: ignore[assignment]
    sample_half.stream = stream  # type: ignore[assignment]
    try:
        lease, stages, resolved = _NoLease(), identity_half.Stages(), resolve(config)
        identity_half.IdentityHalf(resolved, store, stages, lease).make()  # type: ignore[arg-type]
        shards = planned_shards(manifest)
        sample_half.SampleHalf(resolved, store, stages, lease).make()  # type: ignore[arg-type]
    finally:
        identity_half.stream = sample_half.stream = before
    shutil.rmtree(storage.url)
    return shards


JOBS = {
    "commit listing": Job(_commits, index=True),
    "status": Job(lambda run: read_status(run.storage), index=True),
    "split": Job(_split, index=True),
    "registry restore": Job(_restore, index=True),
    "label by ranks": Job(lambda run: _label(run, "ranks"), index=True, wide=True),
    "label by costs": Job(lambda run: _label(run, "costs"), wide=True),
    "train, data": Job(_train),
    "evaluate, data": Job(_evaluate),
    "report": Job(_report),
    "export synfiqa": Job(lambda run: _export(run, "synfiqa")),
    "export parquet": Job(lambda run: _export(run, "parquet")),
    "verify": Job(_verify),
    "generate, driver": Job(_generate),
}


def prepare(run: SyntheticRun, job: Job) -> None:
    """Make the run that a job reads; labels too, so that they are not measured with another job."""
    torch.set_num_threads(1)
    make(run, pictures=not job.wide)
    if not job.index and not job.wide:
        _labels(run)
