"""Evaluation of a run's trained model: EDC and pAUC beside baselines on held-out identities.

`synfiqa.schemas.evaluation` describes the result.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve, try_plugins
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.registry import require_known
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.actors.roles import QualityScorer
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.evaluation.baselines import LabelScorer
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare, model_versus, resolvable
from synfiqa.fiqa_train.evaluation.document import (
    EVALUATION,
    SCORES,
    evaluation_basis,
    evaluation_document,
    existing_evaluation,
)
from synfiqa.fiqa_train.evaluation.held_out import (
    HeldOut,
    embedders_of,
    holding,
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
)
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import labelled_identities, pair_shards
from synfiqa.fiqa_train.training.checkpoints import load_trained, model_folder
from synfiqa.fiqa_train.training.task import finished_training, split_run, training_basis
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import EvaluationResult, NetworkComparison, file_content

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
) -> EvaluationResult:
    """Evaluate `models/<train.name>/` on the test identities and return the evaluation; one that exists is returned.

    UserError when the model is not trained (or with other settings) or the held-out pairs can resolve no FMR;
    JobFailed when there are no held-out images; RunHeld, before the next write, when the run is taken over from
    `lease`. A `store` that an earlier job has used does not read its commits again.
    """
    # Networks as small as these gain nothing from more threads, and lose much on a machine with other load.
    torch.set_num_threads(1)
    require_known(config.evaluate.scorers, SCORERS, config.models.catalogue)
    name, folder = config.train.name, model_folder(config.train.name)
    manifest = load_run(storage)
    store = store or ShardStore(storage, manifest.fingerprint)
    calibration = require_calibration(storage, config.label.name)
    commits = require_fresh_labels(store, calibration).shards
    run = resolved or resolve(config)
    try_plugins(run)
    training = finished_training(storage, name, training_basis(run, manifest, calibration))
    model = load_trained(storage, name)
    embedders = embedders_of(run, calibration.embedder or config.models.embedder)
    settings = ScorerSettings(run.catalogue, config.models.embedder, config.run.seed)
    basis = evaluation_basis(run, training, embedders, scorer_digests(config.evaluate.scorers, settings))
    existing = existing_evaluation(storage, folder, basis)
    if existing is not None:
        return existing

    preflight(storage)
    steps = _Steps(progress, 3 + 2 * len(embedders))
    shards = pair_shards(commits.values(), calibration.parts)
    identities = [own for own, _ in labelled_identities(storage, shards)]
    splits = split_run(config, (int(identity) for own in identities for identity in own), manifest.steps)
    tested = {identity for identity, split in splits.items() if split == "test"}
    held_out = read_held_out(store, holding(shards, identities, tested), tested)
    table = _pairs(config, held_out)
    n_genuine = int(table.genuine.sum())
    fmrs, skipped = resolvable(config.evaluate.fmr, n_genuine, len(table.genuine) - n_genuine)
    if not fmrs:
        raise UserError(f"evaluate.fmr cannot be shown by the held-out images: {skipped[-1].reason}")
    steps.done()

    qualities = _qualities(config, settings, NetworkScorer(model), held_out)
    steps.done()
    results = _results(config, embedders, held_out, table, qualities, fmrs, steps)
    evaluation = evaluation_document(config, basis, held_out, table, qualities, results, skipped)
    require_held(lease)
    storage.write(f"{folder}/{SCORES}", score_table(held_out, qualities))
    require_held(lease)
    storage.write(f"{folder}/{EVALUATION}", file_content(evaluation))
    steps.done()
    return evaluation


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


def _qualities(
    config: RunConfig, settings: ScorerSettings, model: NetworkScorer, held_out: HeldOut
) -> dict[str, np.ndarray]:
    supplied: dict[str, QualityScorer] = {"model": model, "label": LabelScorer(held_out.label)}
    scorers = scorers_of(config.evaluate.scorers, settings, supplied, SCORERS)
    for scorer in scorers.values():
        scorer.calibrate(held_out.images)
    return {name: scorer.score(held_out.images) for name, scorer in scorers.items()}


def _pairs(config: RunConfig, held_out: HeldOut) -> PairTable:
    table = enumerate_pairs(held_out.identity, MAX_IMPOSTORS, config.run.seed)
    if config.evaluate.pairs == "probe-reference":
        return probe_reference_pairs(table, np.isnan(held_out.label))
    return table


def _results(
    config: RunConfig,
    embedders: list[Model],
    held_out: HeldOut,
    table: PairTable,
    qualities: Mapping[str, np.ndarray],
    fmrs: list[float],
    steps: _Steps,
) -> list[NetworkComparison]:
    """Return the results by each embedder; intervals of the first alone, which is the independent one."""
    results: list[NetworkComparison] = []
    for position, embedder in enumerate(embedders):
        similarity = pair_similarity(embed_flipped(load_embedder(embedder), held_out.images), table)
        steps.done()
        resamples = config.evaluate.bootstrap if position == 0 else 0
        protocol = Protocol(fmrs, config.evaluate.discard_limit, resamples, config.run.seed)
        found = compare(qualities, similarity, table, held_out.identity, protocol, model_versus(list(qualities)))
        independent = embedder.name != embedders[-1].name
        results += [
            NetworkComparison(embedder=embedder.name, independent=independent, **dict(result)) for result in found
        ]
        steps.done()
    return results
