"""Basis of a training, splits of its identities, and the task of its workers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.fingerprint import differences
from synfiqa.cluster.run.lease import Claim
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.labels.parts import label_digest, labelled_identities, pair_shards
from synfiqa.fiqa_train.training.checkpoints import CARD, METRICS, WEIGHTS, model_folder
from synfiqa.fiqa_train.training.data import batch_plan
from synfiqa.fiqa_train.training.loop import TrainTask, describe
from synfiqa.fiqa_train.training.seen import learned_from
from synfiqa.fiqa_train.training.splits import SPLITS, Split, split_grown
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import OtherVersion, TrainingBasis, TrainingResult, parse
from synfiqa.schemas.manifest import Commit, RunManifest

BASIS = "train.json"
"""File with the basis of a training, written before the first epoch; a resumed training must agree with it."""

_EXECUTION_FIELDS = {"workers", "use_gpu", "max_failures"}
"""Fields of section `train` that do not decide the model."""


def training_basis(run: ResolvedRun, manifest: RunManifest, calibration: Calibration) -> dict[str, Any]:
    """Return everything that decides the model: settings, seed, labels, dataset and initial weights."""
    config, section = run.config, run.config.train
    # The default of a field added later is omitted, so that the basis of older trainings stays valid.
    plain = {"precision"} if section.precision == "float32" else set()
    basis: dict[str, Any] = {
        "train": section.model_dump(mode="json", exclude=_EXECUTION_FIELDS | plain),
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
    """Return whether a model of that name is finished, whatever its basis."""
    return all(storage.exists(f"{model_folder(name)}/{file}") for file in (METRICS, WEIGHTS, CARD))


def finished_training(storage: Storage, name: str, basis: dict[str, Any]) -> TrainingResult | None:
    """Return the result of a finished training; UserError when the name is taken by a different one."""
    folder = model_folder(name)
    try:
        existing = json.loads(storage.read(f"{folder}/{BASIS}"))
    except FileNotFoundError:
        return None
    if existing != basis:
        changed = "; ".join(differences(existing, basis)[:4])
        raise UserError(
            f"model '{name}' of {storage.uri()} was trained with other data or settings ({changed}); "
            f"choose another train.name, or delete {folder}"
        )
    if not is_trained(storage, name):
        return None
    path = f"{folder}/{METRICS}"
    try:
        return parse(TrainingResult, json.loads(storage.read(path)))
    except OtherVersion as error:
        reason = f"is of {error}"
    except ValueError as error:
        reason = f"is damaged ({error})"
    raise UserError(f"{storage.uri(path)} {reason}; choose another train.name, or delete {folder}")


def recorded_training(storage: Storage, name: str, manifest: RunManifest) -> TrainingResult | None:
    """Return the result of a finished training of this run by its own record, None where there is none.

    UserError when the model was trained on another run, or its labels are no longer those of its record.
    """
    try:
        basis = json.loads(storage.read(f"{model_folder(name)}/{BASIS}"))
    except FileNotFoundError:
        return None
    calibration = require_calibration(storage, str(basis["label"]))
    now = basis | {
        "label_sha256": label_digest(calibration),
        "dataset_sha256": calibration.dataset_sha256,
        "run_fingerprint": manifest.fingerprint,
    }
    return finished_training(storage, name, now)


def split_run(config: RunConfig, identities: Iterable[int], steps: Sequence[int]) -> dict[int, Split]:
    """Return the split of every labelled identity of a run with these `steps`, the same for train and evaluate."""
    section, numbers = config.train, map(int, identities)
    return split_grown(numbers, steps, section.validation_fraction, section.test_fraction, config.run.seed)


def split_of_record(basis: TrainingBasis, identities: Iterable[int], steps: Sequence[int]) -> dict[int, Split]:
    """Return the split of every labelled identity that a finished training was made with."""
    section = basis.train
    return split_grown(
        map(int, identities), steps, section["validation_fraction"], section["test_fraction"], basis.seed
    )


def training_task(
    run: ResolvedRun, storage: Storage, claim: Claim | None = None, commits: Mapping[int, Commit] | None = None
) -> TrainTask:
    """Return the task of the workers; UserError when there are too few identities or images to train on.

    With the `claim` of a lease they stop before they write to a run that another driver has taken over. `commits` are
    the shards of the run, where they are read already.
    """
    config = run.config
    calibration = require_calibration(storage, config.label.name)
    if commits is None:
        commits = ShardStore(storage, calibration.fingerprint).committed("samples")
    shards = pair_shards(commits.values(), calibration.parts)
    labelled = labelled_identities(storage, shards)
    manifest = load_run(storage)
    splits = split_run(config, (int(identity) for own, _ in labelled for identity in own), manifest.steps)
    record = learned_from(training_basis(run, manifest, calibration), manifest, calibration, splits)
    chosen = {split: frozenset(i for i, own in splits.items() if own == split) for split in SPLITS}
    rows = sum(
        int(labels)
        for identities, counts in labelled
        for identity, labels in zip(identities, counts, strict=True)
        if int(identity) in chosen["train"]
    )
    batch_plan(rows, config.train.batch_size, config.train.workers)
    embedder = run.models.embedder
    commercial = all(card.commercial_use for card in manifest.cards)
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
        card=describe(config.train, embedder, calibration.fingerprint, commercial_labels=commercial)
        | {"learned_from": record.model_dump(mode="json")},
        claim=claim,
        wait_s=config.resilience.placement_wait_s,
    )
