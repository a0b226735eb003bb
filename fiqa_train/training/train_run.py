"""Training of a run's quality model on its labels with Ray Train."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.actors.quality.factories import require_buildable
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.training.checkpoints import METRICS, model_folder, publish
from synfiqa.fiqa_train.training.engine.worker_task import TrainTask, WatchedSet
from synfiqa.fiqa_train.training.on_ray import (
    HISTORY,
    PROGRESS,
    STOP,
    read_history,
    require_workers,
    train_on_ray,
)
from synfiqa.fiqa_train.training.snapshot import require_label, require_weights, under_snapshot
from synfiqa.fiqa_train.training.task import (
    BASIS,
    finished_training,
    settings_of_scorers,
    training_basis,
    training_task,
)
from synfiqa.fiqa_train.training.teachers import WHERE, scorers_among
from synfiqa.fiqa_train.training.watchers import require_watchers
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.evaluation import TrainingResult, file_content

Progress = Callable[[int, int], None]
"""Called with epochs done and epochs planned."""


def run_train(
    config: RunConfig,
    storage: Storage,
    progress: Progress | None = None,
    *,
    lease: Lease | None = None,
    resolved: ResolvedRun | None = None,
    store: ShardStore | None = None,
    watched: Sequence[WatchedSet] = (),
) -> TrainingResult:
    """Train `models/<train.name>/` to the end and return its result; that of a finished one at once.

    Seed, split and models are those of the run's snapshot; a config that sets others is refused (`under_snapshot`).
    Needs Ray to be initialised and storage that all its workers can reach. The same command after a crash resumes from
    the last stored state. UserError when the name belongs to a training from other data, labels or settings, or the
    cluster is too small; JobFailed when training fails; RunHeld, before the next write, when the run is taken over from
    `lease`.
    `metrics.json` is written last, so a model is complete or absent. A `store` that an earlier job has used does not
    read its commits again. `watched` are the sets of `train.watch.test_sets`.
    """
    manifest = load_run(storage)
    config = under_snapshot(config, manifest)
    store = store or ShardStore(storage, manifest.fingerprint)
    calibration = require_calibration(storage, config.label.name)
    require_label(config, manifest, calibration)
    commits = require_fresh_labels(store, calibration).shards
    folder = model_folder(config.train.name)
    run = replace(resolved, config=config) if resolved else resolve(config)
    require_weights(run, manifest)
    basis = training_basis(run, manifest, calibration, watched, storage)
    finished = finished_training(storage, config.train.name, basis)
    if finished is not None:
        return finished
    require_watchers(config.train)
    require_buildable(scorers_among(config.train.objective.teachers), settings_of_scorers(run), WHERE)
    storage.check_shared()
    preflight(storage)
    threads = require_workers(config.train)
    claim = None if lease is None else lease.claim
    task = training_task(run, storage, claim, commits, threads=threads, watched=watched, basis=basis)
    require_held(lease)
    storage.create(f"{folder}/{BASIS}", _json(basis))
    # Another job may have taken the name since the first check.
    finished_training(storage, config.train.name, basis)

    state, phase = _trained(task, storage, progress, lease)
    best = state["best_metrics"]
    if phase is not None:
        phase.advance(config.train.epochs - phase.done)
        phase.close(f"validation Spearman {best['validation_spearman']:.3f} in epoch {state['best_epoch']}")
    measured = {name: best[name] for name in ("validation_spearman", "validation_error")}
    require_held(lease)
    # A state of an older version has no scale.
    scale = {"scale": state["scale"]} if state.get("scale") else {}
    card = publish(storage, config.train.name, state["best"], {**task.card, "metrics": measured, **scale})
    result = TrainingResult(
        name=config.train.name,
        model_sha256=card.sha256,
        best_epoch=state["best_epoch"],
        **measured,
        train_images=task.rows,
        identities=task.identities,
        history=state["history"],
        basis=basis,
    )
    require_held(lease)
    storage.write(f"{folder}/{METRICS}", file_content(result, sort_keys=True))
    for file in (HISTORY, PROGRESS, STOP):
        storage.delete(f"{folder}/{file}")
    return result


def _trained(
    task: TrainTask, storage: Storage, progress: Progress | None, lease: Lease | None
) -> tuple[dict[str, Any], Phase | None]:
    """Train, and return the last state and the phase that was shown meanwhile, None with a `progress`."""
    section = task.section
    phase = Phase("train", section.epochs, "epochs") if progress is None else None
    if phase is not None:
        phase.resume(len(read_history(storage, section.name)))
    _report(lease, phase)

    def watch(history: list[dict[str, float]], now: dict[str, float]) -> None:
        if progress is not None:
            progress(len(history), section.epochs)
        if phase is not None:
            phase.advance(max(0, len(history) - phase.done))
            if now:
                phase.foresee(now["eta_s"], _pace(now))
            _report(lease, phase)

    return train_on_ray(task, watch), phase


def _pace(now: dict[str, float]) -> str:
    """Return step, pace and share of waiting of a training as one line."""
    return (
        f"step {now['step']:.0f} of {now['steps']:.0f}, {now['images_per_s']:.0f} images/s, waiting for data "
        f"{100 * now['waiting']:.0f} %"
    )


def _report(lease: Lease | None, phase: Phase | None) -> None:
    """Have `synfiqa status` show the training as the phase that runs."""
    if lease is not None and phase is not None:
        lease.report(phase.snapshot())


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
