"""Basis of a training, splits of its identities, and the task of its workers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.nets.fiqa.table import DSL_SIZES
from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.fingerprint import differences
from synfiqa.cluster.run.lease import Claim
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import announce
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.labels.parts import label_digest, labelled_identities, pair_shards
from synfiqa.fiqa_train.training.checkpoints import CARD, METRICS, WEIGHTS, model_folder
from synfiqa.fiqa_train.training.dsl.portrait_data import folder_digest, portraits_of
from synfiqa.fiqa_train.training.engine.build_network import RANDOM, describe
from synfiqa.fiqa_train.training.engine.worker_task import TrainTask, WatchedSet
from synfiqa.fiqa_train.training.methods.table import classifies, require_classes
from synfiqa.fiqa_train.training.reading.classes import count_classes
from synfiqa.fiqa_train.training.reading.order import share_of_batch
from synfiqa.fiqa_train.training.reading.sources.committed import CommittedShards
from synfiqa.fiqa_train.training.reading.sources.open_source import open_source
from synfiqa.fiqa_train.training.reading.sources.source_digest import source_digest
from synfiqa.fiqa_train.training.seen import learned_from
from synfiqa.fiqa_train.training.splits import SPLITS, Split, split_grown
from synfiqa.fiqa_train.training.teachers import TeacherOf, require_teachers, teacher_digests
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import OtherVersion, TrainingBasis, TrainingResult, parse
from synfiqa.schemas.manifest import Commit, RunManifest
from synfiqa.schemas.model_card import LearnedFrom
from synfiqa.schemas.seeds import derive_seed

BASIS = "train.json"
"""File with the basis of a training, written before the first epoch; a resumed training must agree with it."""

_EXECUTION_FIELDS: dict[str, Any] = {
    "workers": True,
    "threads": True,
    "readers": True,
    "use_gpu": True,
    "max_failures": True,
    "checkpoint_steps": True,
    "checkpoints": True,
    "watch": {"log_steps", "tensorboard", "callback"},
}
"""Fields of section `train` that do not decide the model."""
_FIRST_FIELDS = {
    *("name", "epochs", "batch_size", "learning_rate", "weight_decay", "width", "initialise"),
    *("validation_fraction", "test_fraction", "augment"),
}
"""Fields that a basis always has: the default of one added later is omitted, so that older ones stay valid."""
_LATER_AUGMENT = ("exposure", "colour", "grey")
"""Fields of section `augment` that were added later."""


def training_basis(
    run: ResolvedRun,
    manifest: RunManifest,
    calibration: Calibration,
    watched: Sequence[WatchedSet] = (),
    storage: Storage | None = None,
) -> dict[str, Any]:
    """Return everything that decides the model: settings, seed, labels, dataset, initial weights, watched test sets.

    `storage` is the run, whose models can be teachers.
    """
    config, section = run.config, run.config.train
    whole = section.model_dump(mode="json", exclude=_EXECUTION_FIELDS)
    plain = type(section)().model_dump(mode="json", exclude=_EXECUTION_FIELDS)
    basis: dict[str, Any] = {
        "train": {key: value for key, value in whole.items() if key in _FIRST_FIELDS or value != plain[key]}
        | {"augment": _without_later(whole["augment"], plain["augment"])},
        "seed": config.run.seed,
        "label": calibration.name,
        "label_sha256": label_digest(calibration),
        "dataset_sha256": calibration.dataset_sha256,
        "run_fingerprint": manifest.fingerprint,
    }
    initial = initial_model(run)
    if initial is not None:
        basis["embedder"] = initial.name
        basis["embedder_sha256"] = digest_of(initial)
    if section.method == "distil":
        require_teachers(section.objective.teachers, config.models.catalogue)
        basis["teacher_sha256"] = teacher_digests(section.objective.teachers, settings_of_scorers(run), storage)
    if section.sources:
        basis["sources_sha256"] = {one.name: source_digest(one) for one in section.sources}
    if section.method == "dsl_fiqa" and (folders := [*filter(None, (section.dsl.folder, section.dsl.unlabelled))]):
        basis["sources_sha256"] = {folder: folder_digest(folder) for folder in folders}
    if watched:
        basis["watched_sha256"] = {one.name: one.sha256 for one in watched}
    return basis


def _without_later(augment: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return section `augment` without the defaults of fields added later, so that older bases stay valid."""
    return {key: value for key, value in augment.items() if key not in _LATER_AUGMENT or value != plain[key]}


def initial_model(run: ResolvedRun) -> Model | None:
    """Return the embedder that a training starts from, None for random weights; UserError for an unknown name."""
    name = run.config.train.initialise
    if name == RANDOM:
        return None
    return run.models.embedder if name == "embedder" else run.catalogue.model(name, "embedder")


def training_seed(config: RunConfig) -> int:
    """Return the seed of weights, order and changes of faces: that of the run, or one of `train.seed` beside it."""
    own = config.train.seed
    return derive_seed(config.run.seed, "training", own) if own else config.run.seed


def settings_of_scorers(run: ResolvedRun) -> ScorerSettings:
    """Return the settings by which a run's scorers are built."""
    return ScorerSettings(run.catalogue, run.config.models.embedder, run.config.run.seed)


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
    run: ResolvedRun,
    storage: Storage,
    claim: Claim | None = None,
    commits: Mapping[int, Commit] | None = None,
    *,
    threads: int = 1,
    watched: Sequence[WatchedSet] = (),
    basis: Mapping[str, Any] | None = None,
) -> TrainTask:
    """Return the task of the workers; UserError when there are too few identities or images to train on.

    With the `claim` of a lease they stop before they write to a run that another driver has taken over. `commits` are
    the shards of the run, and `basis` is that of the training, where they are known already. `threads` are those of a
    worker.
    """
    config, section = run.config, run.config.train
    calibration = require_calibration(storage, config.label.name)
    if commits is None:
        commits = ShardStore(storage, calibration.fingerprint).committed("samples")
    shards = pair_shards(commits.values(), calibration.parts)
    labelled = labelled_identities(storage, shards)
    manifest = load_run(storage)
    splits = split_run(config, (int(identity) for own, _ in labelled for identity in own), manifest.steps)
    basis = training_basis(run, manifest, calibration, storage=storage) if basis is None else basis
    record = learned_from(basis, manifest, calibration, splits)
    if section.method == "dsl_fiqa":
        return _portrait_task(run, storage, splits, record, claim, threads)
    chosen = {split: frozenset(i for i, own in splits.items() if own == split) for split in SPLITS}
    own = [CommittedShards.of(storage, shards, chosen[split], labelled) for split in ("train", "validation")]
    sources = [own[0], *(open_source(one) for one in section.sources)]
    rows = sum(piece.rows for source in sources for piece in source.pieces)
    share_of_batch(rows, section.batch_size, section.workers)
    counts = count_classes(sources)
    require_classes(section, len(counts.counts))
    if classifies(section):
        for remark in counts.remarks():
            announce(remark)
    initial = initial_model(run)
    origin = f"synthetic faces of run {calibration.fingerprint[:16]}"
    if section.sources:
        origin += f" and {', '.join(source.name for source in section.sources)}"
    space = calibration.scale.centred
    labelled_free = space is None or space.commercial_use
    commercial = all(card.commercial_use for card in manifest.cards) and labelled_free and not section.sources
    card = describe(section, initial, origin, commercial=commercial)
    distils = section.method == "distil"
    return TrainTask(
        url=storage.url,
        sources=sources,
        held_out_source=own[1],
        identities={split: len(members) for split, members in chosen.items()},
        rows=rows,
        section=section,
        initial=initial,
        seed=training_seed(config),
        card=card | {"learned_from": record.model_dump(mode="json")},
        threads=threads,
        claim=claim,
        wait_s=config.resilience.placement_wait_s,
        teacher=TeacherOf(section.objective.teachers, settings_of_scorers(run), storage.url) if distils else None,
        watched=tuple(watched),
    )


def _portrait_task(
    run: ResolvedRun,
    storage: Storage,
    splits: Mapping[int, Split],
    record: LearnedFrom,
    claim: Claim | None,
    threads: int,
) -> TrainTask:
    """Return the task of a training on portraits, of the run or of a folder."""
    config, section = run.config, run.config.train
    found = portraits_of(section, DSL_SIZES[section.network], storage, config.label.name, splits)
    share_of_batch(found.rows, section.batch_size, section.workers)
    own = not section.dsl.folder
    origin = f"portraits of run {record.run_fingerprint[:16]}" if own else f"{found.rows} portraits of a folder"
    commercial = own and all(card.commercial_use for card in load_run(storage).cards)
    card = describe(section, None, origin, commercial=commercial)
    card["arguments"] = card["arguments"] | {"portrait_side": found.side}
    return TrainTask(
        url=storage.url,
        sources=(),
        held_out_source=None,
        identities=found.identities,
        rows=found.rows,
        section=section,
        initial=None,
        seed=training_seed(config),
        card=card | ({"learned_from": record.model_dump(mode="json")} if own else {}),
        threads=threads,
        claim=claim,
        wait_s=config.resilience.placement_wait_s,
        portraits=found.data,
    )
