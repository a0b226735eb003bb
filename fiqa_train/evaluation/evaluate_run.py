"""Evaluation of a run's trained model: EDC and pAUC beside baselines on held-out identities.

`synfiqa.schemas.evaluation` describes the result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.device import use_cores
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve, try_plugins
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of, stored_models
from synfiqa.actors.quality.registry import require_known
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.actors.recognition.stored_vectors import stored_vectors
from synfiqa.actors.roles import QualityScorer
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.datasets.scores.image_names import ImageNames
from synfiqa.fiqa_train.evaluation.audit.build_audit import AUDIT, audit_columns, build_audit
from synfiqa.fiqa_train.evaluation.baselines import LabelScorer
from synfiqa.fiqa_train.evaluation.compare import Protocol, judged, model_versus, resolvable
from synfiqa.fiqa_train.evaluation.document import (
    EVALUATION,
    SCORES,
    evaluation_basis,
    evaluation_document,
    existing_result,
)
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores, ScoreFile, matched
from synfiqa.fiqa_train.evaluation.held_out import (
    HeldOut,
    holding,
    judges_of,
    load_embedder,
    read_held_out,
    score_table,
)
from synfiqa.fiqa_train.evaluation.pairs import (
    MAX_IMPOSTORS,
    PairTable,
    embed_flipped,
    enumerate_pairs,
    pair_similarity,
    probe_reference_pairs,
    recognition_of,
)
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import labelled_identities, pair_shards
from synfiqa.fiqa_train.training.checkpoints import load_trained, model_folder
from synfiqa.fiqa_train.training.seen import require_unseen, with_record
from synfiqa.fiqa_train.training.snapshot import under_snapshot
from synfiqa.fiqa_train.training.task import recorded_training, split_of_record, split_run
from synfiqa.schemas.audit import AuditResult
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import (
    EvaluationBasis,
    EvaluationResult,
    NetworkComparison,
    Skipped,
    TrainingResult,
    file_content,
)
from synfiqa.schemas.factors.plugin_rows import rows_here

SCORERS = "evaluate.scorers"

Progress = Callable[[int, int], None]
"""Called with steps done and steps planned."""


def run_evaluate(
    config: RunConfig,
    storage: Storage,
    progress: Progress | None = None,
    *,
    lease: Lease | None = None,
    resolved: ResolvedRun | None = None,
    store: ShardStore | None = None,
    allow_seen: bool = False,
    score_files: Sequence[ScoreFile] = (),
) -> EvaluationResult:
    """Evaluate `models/<train.name>/` on its test identities and return the evaluation; one that exists is returned.

    Label and split are those of the training's record. UserError when the model is not trained, or on other data, when
    a model to compare has learned from these identities (unless `allow_seen`), or when they can resolve no FMR;
    JobFailed when there are no held-out images; RunHeld, before the next write, when the run is taken over from
    `lease`. A `store` that an earlier job has used does not read its commits again. `score_files` are further methods;
    UserError, before anything is written, for one without a score for every held-out image. `audit.json` beside the
    evaluation is of the same basis.
    """
    use_cores()
    require_known(config.evaluate.scorers, SCORERS, config.models.catalogue)
    name, folder = config.train.name, model_folder(config.train.name)
    manifest = load_run(storage)
    config = under_snapshot(config, manifest)
    store = store or ShardStore(storage, manifest.fingerprint)
    training = recorded_training(storage, name, manifest)
    calibration = require_calibration(storage, training.basis.label if training else config.label.name)
    commits = require_fresh_labels(store, calibration).shards
    run = replace(resolved, config=config) if resolved else resolve(config)
    try_plugins(run)
    model = load_trained(storage, name)
    labelling = calibration.embedder or config.models.embedder
    judges = judges_of(run, labelling)
    settings = ScorerSettings(run.catalogue, config.models.embedder, config.run.seed)
    digests = scorer_digests(config.evaluate.scorers, settings) | {file.name: file.digest for file in score_files}
    basis = evaluation_basis(run, training, judges, labelling, digests)
    existing = _existing(storage, folder, basis)
    if existing is not None and (allow_seen or not existing.seen):
        return existing

    shards = pair_shards(commits.values(), calibration.parts)
    identities = [own for own, _ in labelled_identities(storage, shards)]
    labelled = [int(identity) for own in identities for identity in own]
    tested = _tested(config, training, labelled, manifest.steps)
    cards = {name: with_record(own) for name, own in stored_models(config.evaluate.scorers, settings).items()}
    # The record of an older training is its basis, from which the split was taken.
    if model.card.learned_from or not training:
        cards["model"] = model.card
    seen = require_unseen(cards, manifest, tested, labelled, allow_seen=allow_seen)
    preflight(storage)
    steps = _Steps(progress, 3 + 2 * len(judges))
    plugged, _ = rows_here(config.generate.added_factors)
    held_out = read_held_out(store, holding(shards, identities, tested), tested, audit_columns(plugged))
    external = _external(score_files, held_out)
    table = _pairs(config, held_out)
    fmrs, skipped = _carried(config, table)
    steps.done()

    qualities = _qualities(config, settings, NetworkScorer(model), held_out, external)
    steps.done()
    judging = _Judging(storage, basis, lease)
    results, similarity = _results(config, judges, judging, held_out, table, qualities, fmrs, steps)
    evaluation = evaluation_document(config, basis, held_out, table, qualities, results, skipped, seen, external)
    protocol = _protocol(config, config.evaluate.fmr)
    audit = build_audit(
        name, basis, store, held_out, qualities, external, judges[0].name, similarity, table, protocol, plugged
    )
    contents = {
        SCORES: score_table(held_out, qualities),
        AUDIT: file_content(audit),
        EVALUATION: file_content(evaluation),
    }
    for file, content in contents.items():
        require_held(lease)
        storage.write(f"{folder}/{file}", content)
    steps.done()
    return evaluation


def _existing(storage: Storage, folder: str, basis: EvaluationBasis) -> EvaluationResult | None:
    """Return the evaluation of this basis if its audit is there too, which evaluations of older versions have not."""
    if existing_result(storage, f"{folder}/{AUDIT}", AuditResult, basis) is None:
        return None
    return existing_result(storage, f"{folder}/{EVALUATION}", EvaluationResult, basis)


def _external(files: Sequence[ScoreFile], held_out: HeldOut) -> list[MatchedScores]:
    """Return the scores of the files for the held-out images; UserError where one has no score."""
    names = ImageNames(held_out.sample_id)
    found = [matched(file, names) for file in files]
    for one in found:
        one.require(held_out.sample_id, np.ones(len(names), bool), "held-out images")
    return found


def _tested(config: RunConfig, training: TrainingResult | None, labelled: list[int], steps: Sequence[int]) -> set[int]:
    """Return the test identities by the record of the training, or of one without record by the run's snapshot."""
    splits = split_of_record(training.basis, labelled, steps) if training else split_run(config, labelled, steps)
    return {identity for identity, split in splits.items() if split == "test"}


class _Steps:
    """Progress of an evaluation: the callback, else a line on the terminal."""

    def __init__(self, progress: Progress | None, planned: int) -> None:
        self._progress, self._planned, self._count = progress, planned, 0
        self._phase = Phase("evaluate", planned, "steps") if progress is None else None

    def done(self) -> None:
        """Count one step."""
        self._count += 1
        if self._progress is not None:
            self._progress(self._count, self._planned)
        if self._phase is not None:
            self._phase.advance()
            if self._count == self._planned:
                self._phase.close()


@dataclass(frozen=True)
class _Judging:
    """Vectors of an evaluation's images, stored in the run by set and judge."""

    storage: Storage
    basis: EvaluationBasis
    lease: Lease | None

    def vectors(self, judge: Model, images: np.ndarray) -> np.ndarray:
        """Return the vectors (N, 2D) of the images by a judge, from the run where it has them."""
        digest = self.basis.embedders[judge.name]

        def embed() -> np.ndarray:
            return embed_flipped(load_embedder(judge), images)

        return stored_vectors(self.storage, judge, digest, images, embed, lease=self.lease)


def _qualities(
    config: RunConfig,
    settings: ScorerSettings,
    model: NetworkScorer,
    held_out: HeldOut,
    external: Sequence[MatchedScores],
) -> dict[str, np.ndarray]:
    supplied: dict[str, QualityScorer] = {"model": model, "label": LabelScorer(held_out.label)}
    scorers = scorers_of(config.evaluate.scorers, settings, supplied, SCORERS)
    for scorer in scorers.values():
        scorer.calibrate(held_out.images)
    scored = {name: scorer.score(held_out.images) for name, scorer in scorers.items()}
    return scored | {one.file.name: one.scores for one in external}


def _pairs(config: RunConfig, held_out: HeldOut) -> PairTable:
    table = enumerate_pairs(held_out.identity, MAX_IMPOSTORS, config.run.seed)
    if config.evaluate.pairs == "probe-reference":
        return probe_reference_pairs(table, np.isnan(held_out.label))
    return table


def _protocol(config: RunConfig, fmrs: Sequence[float]) -> Protocol:
    return Protocol(fmrs, config.evaluate.discard_limit, config.evaluate.bootstrap, config.run.seed)


def _carried(config: RunConfig, table: PairTable) -> tuple[list[float], list[Skipped]]:
    """Return the FMRs that the pairs can resolve and the others with the reason; UserError when none can be."""
    fmrs, skipped = resolvable(config.evaluate.fmr, *table.counts)
    if not fmrs:
        raise UserError(f"evaluate.fmr cannot be shown by the held-out images: {skipped[-1].reason}")
    return fmrs, skipped


def _results(
    config: RunConfig,
    judges: list[Model],
    judging: _Judging,
    held_out: HeldOut,
    table: PairTable,
    qualities: Mapping[str, np.ndarray],
    fmrs: list[float],
    steps: _Steps,
) -> tuple[list[NetworkComparison], np.ndarray]:
    """Return the results by each judge, intervals of those alone that did not label, and similarities by the first."""
    protocol, versus = _protocol(config, fmrs), model_versus(list(qualities))
    results: list[NetworkComparison] = []
    first: np.ndarray | None = None
    for judge in judges:
        vectors = judging.vectors(judge, held_out.images)
        similarity = pair_similarity(vectors, table)
        own = recognition_of(vectors, held_out.identity, np.isnan(held_out.label))
        first = similarity if first is None else first
        steps.done()
        labelling, people = judging.basis.label_embedder, held_out.identity
        results += judged(judge.name, labelling, qualities, similarity, table, people, protocol, versus, own)
        steps.done()
    return results, np.empty(0) if first is None else first
