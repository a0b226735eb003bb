"""Evaluation of a run's trained model on test sets: EDC and pAUC beside scorers that need no run.

`synfiqa.schemas.evaluation.SetEvaluation` describes the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.device import use_cores
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve, try_plugins
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of, stored_models
from synfiqa.actors.quality.registry import require_known
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.actors.roles import takes_portraits
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.fiqa_train.evaluation.compare import Protocol, model_versus
from synfiqa.fiqa_train.evaluation.document import evaluation_basis, existing_result
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores, ScoreFile
from synfiqa.fiqa_train.evaluation.held_out import judges_of, load_embedder
from synfiqa.fiqa_train.evaluation.on_test_sets.external_qualities import matched_to, with_external
from synfiqa.fiqa_train.evaluation.on_test_sets.set_document import (
    result_path,
    scores_path,
    set_basis,
    set_document,
    set_score_table,
)
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import SetPairs, carried, pairs_of
from synfiqa.fiqa_train.evaluation.on_test_sets.set_results import set_results
from synfiqa.fiqa_train.evaluation.on_test_sets.set_scores import SetScores, pooled, scores_of
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.training.checkpoints import load_trained, model_folder
from synfiqa.fiqa_train.training.seen import require_unseen, with_record
from synfiqa.fiqa_train.training.snapshot import under_snapshot
from synfiqa.fiqa_train.training.task import recorded_training
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import (
    EvaluationBasis,
    LeftOut,
    NetworkComparison,
    SetEvaluation,
    file_content,
)
from synfiqa.schemas.model_card import ModelCard

SCORERS = "evaluate.scorers"
LABEL = "label"


@dataclass(frozen=True)
class _Subject:
    """What is the same on every set: model, judges (the independent one first) and all that decides the figures."""

    config: RunConfig
    settings: ScorerSettings
    scorers: list[str]
    model: NetworkScorer | QualityModel
    judges: list[Model]
    basis: EvaluationBasis
    cards: Mapping[str, ModelCard]
    fingerprint: str


def run_evaluate_on(
    config: RunConfig,
    storage: Storage,
    test_sets: Sequence[TestSet],
    *,
    lease: Lease | None = None,
    resolved: ResolvedRun | None = None,
    allow_seen: bool = False,
    score_files: Sequence[ScoreFile] = (),
) -> list[SetEvaluation]:
    """Evaluate `models/<train.name>/` on each set and return the results; one that exists is returned as it is.

    All sets are checked before the first image is read. UserError for a set whose pairs carry no FMR, which is the run
    itself, or another run whose people a model has learned from (unless `allow_seen`); RunHeld, before the next write,
    when the run is taken over from `lease`. `score_files` are further methods; UserError for one without a score for
    every image with a face of a set that it covers, before anything of that set is written.
    """
    use_cores()
    require_known(config.evaluate.scorers, SCORERS, config.models.catalogue)
    subject = _subject(config, storage, resolved)
    config = subject.config
    planned = []
    for test_set in test_sets:
        seen = _seen(subject, test_set, allow_seen=allow_seen)
        pairs = pairs_of(test_set, config.evaluate.pairs, config.run.seed)
        carried(test_set.name, pairs, config.evaluate.fmr)
        planned.append((test_set, pairs, seen))
    preflight(storage)
    external = {test_set.name: matched_to(test_set, score_files) for test_set in test_sets}
    return [
        _on_one(subject, storage, test_set, pairs, seen, external[test_set.name], lease)
        for test_set, pairs, seen in planned
    ]


def _seen(subject: _Subject, test_set: TestSet, *, allow_seen: bool) -> list[str]:
    """Return the models that have learned from people of a set; UserError for the run itself, and unless allowed."""
    if test_set.manifest is None or test_set.identity is None:
        return []
    if test_set.manifest.fingerprint == subject.fingerprint:
        raise UserError(
            f"--on {test_set.name} is the run that trained the model; `synfiqa evaluate` without --on measures on "
            "the identities that were held out"
        )
    people = np.unique(test_set.identity).tolist()
    return require_unseen(subject.cards, test_set.manifest, people, people, allow_seen=allow_seen)


def _subject(config: RunConfig, storage: Storage, resolved: ResolvedRun | None) -> _Subject:
    """Return the subject with seed, split and models of the run's snapshot; UserError when the model is not trained."""
    manifest = load_run(storage)
    config = under_snapshot(config, manifest)
    training = recorded_training(storage, config.train.name, manifest)
    calibration = require_calibration(storage, training.basis.label if training else config.label.name)
    run = replace(resolved, config=config) if resolved else resolve(config)
    try_plugins(run)
    model = load_trained(storage, config.train.name)
    labelling = calibration.embedder or config.models.embedder
    judges = judges_of(run, labelling)
    settings = ScorerSettings(run.catalogue, config.models.embedder, config.run.seed)
    # Labels are those of the run's samples, which a test set has none of.
    names = [name for name in config.evaluate.scorers if name != LABEL]
    basis = evaluation_basis(run, training, judges, labelling, scorer_digests(names, settings))
    cards = {name: with_record(own) for name, own in stored_models(names, settings).items()} | {"model": model.card}
    subject = model if takes_portraits(model) else NetworkScorer(model)
    return _Subject(config, settings, names, subject, judges, basis, cards, manifest.fingerprint)


def _on_one(
    subject: _Subject,
    storage: Storage,
    test_set: TestSet,
    planned: SetPairs,
    seen: list[str],
    external: list[MatchedScores],
    lease: Lease | None,
) -> SetEvaluation:
    config, folder = subject.config, model_folder(subject.config.train.name)
    basis = set_basis(subject.basis, test_set, {one.file.name: one.file.digest for one in external})
    existing = existing_result(storage, result_path(folder, test_set.name), SetEvaluation, basis)
    if existing is not None:
        return existing
    scorers = scorers_of(subject.scorers, subject.settings, {"model": subject.model}, SCORERS)
    judges = {model.name: load_embedder(model) for model in subject.judges}
    images = with_external(scores_of(test_set, judges, scorers), test_set, external)
    units = pooled(images, test_set.templates) if test_set.templates else images
    compared = planned.between(units.present)
    fmrs, skipped = carried(test_set.name, compared, config.evaluate.fmr)
    results = _results(subject, units, compared, fmrs)
    left_out = [
        LeftOut(name=name, reason="it is the label of the run's samples")
        for name in config.evaluate.scorers
        if name == LABEL
    ]
    records = [one.record for one in external]
    found = set_document(
        config.train.name, basis, test_set, images.reasons, planned, compared, left_out, results, skipped, seen, records
    )
    require_held(lease)
    storage.write(scores_path(folder, test_set.name), set_score_table(test_set, images.quality))
    require_held(lease)
    storage.write(result_path(folder, test_set.name), file_content(found))
    return found


def _results(subject: _Subject, units: SetScores, pairs: SetPairs, fmrs: list[float]) -> list[NetworkComparison]:
    """Return the results by each judge."""
    section, judges = subject.config.evaluate, [judge.name for judge in subject.judges]
    protocol = Protocol(fmrs, section.discard_limit, section.bootstrap, subject.config.run.seed)
    versus = model_versus(list(units.quality))
    return set_results(judges, subject.basis.label_embedder, units, pairs, protocol, versus)
