"""Job: fit a quality model to the labels of a run with Ray Train."""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.fingerprint import differences
from synfiqa.cluster.run.lease import Claim, Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import LabelledShard, pair_shards
from synfiqa.fiqa_train.training.checkpoints import CARD, METRICS, WEIGHTS, model_folder, publish
from synfiqa.fiqa_train.training.data import batch_plan, read_label_table
from synfiqa.fiqa_train.training.loop import TrainTask, describe
from synfiqa.fiqa_train.training.on_ray import HISTORY, read_history, require_workers, train_on_ray
from synfiqa.fiqa_train.training.splits import SPLITS, Split, split_identities
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest

BASIS = "train.json"
"""What a model is trained from, written before the first epoch; a resumed training must agree with it."""

_HOW_NOT_WHAT = {"workers", "use_gpu", "max_failures"}

Progress = Callable[[int, int], None]
"""Called with epochs done and epochs planned."""


def run_train(
    config: RunConfig,
    storage: Storage,
    progress: Progress | None = None,
    *,
    lease: Lease | None = None,
    resolved: ResolvedRun | None = None,
) -> dict[str, Any]:
    """Train `models/<train.name>/` to the end and return its metrics; a finished one is returned at once.

    Needs Ray to be ready and storage that all its workers can reach. The same command after a crash goes on from the
    last epoch. UserError when the name belongs to a training from other data, labels or settings, or the cluster is
    too small; JobFailed when training fails; RunHeld, before the next write, when the run is taken over from `lease`.
    `metrics.json` is written last, so a model exists whole or not at all.
    """
    manifest = load_run(storage)
    store = ShardStore(storage, manifest.fingerprint)
    calibration = require_calibration(storage, config.label.name)
    require_fresh_labels(store, calibration)
    folder = model_folder(config.train.name)
    run = resolved or resolve(config)
    basis = training_basis(run, manifest, calibration)
    finished = finished_training(storage, config.train.name, basis)
    if finished is not None:
        return finished
    storage.check_shared()
    preflight(storage)
    task = training_task(run, storage, None if lease is None else lease.claim)
    require_workers(config.train)
    require_held(lease)
    storage.create(f"{folder}/{BASIS}", _json(basis))
    # another job may have taken the name since the first look
    finished_training(storage, config.train.name, basis)

    epochs = config.train.epochs
    phase = Phase("train", epochs, "epochs") if progress is None else None
    if phase is not None:
        phase.resume(len(read_history(storage, config.train.name)))

    def watch(history: list[dict[str, float]]) -> None:
        if progress is not None:
            progress(len(history), epochs)
        if phase is not None and len(history) > phase.done:
            phase.advance(len(history) - phase.done)

    state = train_on_ray(task, watch)
    best = state["history"][state["best_epoch"] - 1]
    if phase is not None:
        phase.advance(epochs - phase.done)
        phase.close(f"validation Spearman {best['validation_spearman']:.3f} in epoch {state['best_epoch']}")
    measured = {name: best[name] for name in ("validation_spearman", "validation_error")}
    require_held(lease)
    card = publish(storage, config.train.name, state["best"], {**task.card, "metrics": measured})
    metrics = {
        "name": config.train.name,
        "model_sha256": card.sha256,
        "best_epoch": state["best_epoch"],
        **measured,
        "train_images": task.rows,
        "identities": task.identities,
        "history": state["history"],
        "basis": basis,
    }
    require_held(lease)
    storage.write(f"{folder}/{METRICS}", _json(metrics))
    storage.delete(f"{folder}/{HISTORY}")
    return metrics


def label_digest(calibration: Calibration) -> str:
    """Return the SHA-256 (hex) over all label files of a pass, in shard order."""
    return hashlib.sha256("\n".join(part.sha256 for part in calibration.parts).encode()).hexdigest()


def label_table(storage: Storage, shards: list[LabelledShard]) -> pa.Table:
    """Return sample_id, identity and quality of every labelled sample, in shard order."""
    return pa.concat_tables([read_label_table(storage, shard) for shard in shards])


def training_basis(run: ResolvedRun, manifest: RunManifest, calibration: Calibration) -> dict[str, Any]:
    """Return everything that decides what a model becomes, apart from the machines that train it."""
    config, section = run.config, run.config.train
    # Omits the default of a field added later, so that older trainings stay valid.
    plain = {"precision"} if section.precision == "float32" else set()
    basis: dict[str, Any] = {
        "train": section.model_dump(mode="json", exclude=_HOW_NOT_WHAT | plain),
        "seed": config.run.seed,
        "label": calibration.name,
        "label_sha256": label_digest(calibration),
        "dataset_sha256": calibration.dataset_sha256,
        "run_fingerprint": manifest.fingerprint,
    }
    if section.initialise == "embedder":
        basis["embedder"] = config.models.embedder
        basis["embedder_sha256"] = run.digests[config.models.embedder]
    return basis


def is_trained(storage: Storage, name: str) -> bool:
    """Return whether a model of that name is finished, whatever it was trained from."""
    return all(storage.exists(f"{model_folder(name)}/{file}") for file in (METRICS, WEIGHTS, CARD))


def finished_training(storage: Storage, name: str, basis: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metrics of a finished training; UserError when the name is taken by a different one."""
    folder = model_folder(name)
    try:
        existing = json.loads(storage.read(f"{folder}/{BASIS}"))
    except FileNotFoundError:
        return None
    if existing != basis:
        changed = "; ".join(differences(existing, basis)[:4])
        raise UserError(
            f"model '{name}' of {storage.uri()} was trained from something else ({changed}); "
            f"choose another train.name, or delete {folder}"
        )
    if not is_trained(storage, name):
        return None
    metrics: dict[str, Any] = json.loads(storage.read(f"{folder}/{METRICS}"))
    return metrics


def split_run(config: RunConfig, identities: Iterable[int]) -> dict[int, Split]:
    """Return the split of every labelled identity of the run; train and evaluate must agree on it."""
    section = config.train
    return split_identities(map(int, identities), section.validation_fraction, section.test_fraction, config.run.seed)


def training_task(run: ResolvedRun, storage: Storage, claim: Claim | None = None) -> TrainTask:
    """Return what workers need to know; UserError when there are too few identities or images to train on.

    With the `claim` of a lease they stop before they write to a run that another driver has taken over.
    """
    config = run.config
    calibration = require_calibration(storage, config.label.name)
    commits = ShardStore(storage, calibration.fingerprint).committed("samples")
    shards = pair_shards(commits.values(), calibration.parts)
    identities = label_table(storage, shards)["identity"].to_pylist()
    splits = split_run(config, identities)
    chosen = {split: frozenset(i for i, own in splits.items() if own == split) for split in SPLITS}
    rows = sum(identity in chosen["train"] for identity in identities)
    batch_plan(rows, config.train.batch_size, config.train.workers)
    embedder = run.models.embedder
    commercial = all(card.commercial_use for card in load_run(storage).cards)
    return TrainTask(
        url=storage.url,
        shards=shards,
        train=chosen["train"],
        validation=chosen["validation"],
        identities={split: len(members) for split, members in chosen.items()},
        rows=rows,
        section=config.train,
        embedder=embedder,
        seed=config.run.seed,
        card=describe(config.train, embedder, calibration.fingerprint, commercial_labels=commercial),
        claim=claim,
    )


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
