"""Measures every row of a leaderboard on every test set under every judge."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.device import use_cores
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import resolve, try_plugins
from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import require_known
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.formats import FORMATS, open_test_sets
from synfiqa.fiqa_train.datasets.testset import ALIGNED, TestSet
from synfiqa.fiqa_train.evaluation.compare import Protocol
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores, open_score_files
from synfiqa.fiqa_train.evaluation.held_out import load_embedder
from synfiqa.fiqa_train.evaluation.on_test_sets.external_qualities import matched_to, with_external
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import SetPairs, carried, pairs_of
from synfiqa.fiqa_train.evaluation.on_test_sets.set_results import set_results
from synfiqa.fiqa_train.evaluation.on_test_sets.set_scores import SetScores, pooled, scores_of
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import labelled_identities, pair_shards
from synfiqa.fiqa_train.leaderboard.board_rows import Rows, judges_at_hand, rows_of
from synfiqa.fiqa_train.leaderboard.published import PUBLISHED
from synfiqa.fiqa_train.leaderboard.quick_part import quick_part
from synfiqa.fiqa_train.leaderboard.scorer_costs import costs_of
from synfiqa.fiqa_train.leaderboard.sets import RUN, of_people, run_set
from synfiqa.fiqa_train.leaderboard.simple_measures import beaten_by_simple, rank_correlation
from synfiqa.fiqa_train.leaderboard.spreads import seed_groups, spreads_of
from synfiqa.fiqa_train.rendered_benchmark.benchmark_set import BENCHMARK
from synfiqa.fiqa_train.training.seen import seen_by
from synfiqa.fiqa_train.training.task import split_of_record, split_run
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import NetworkComparison
from synfiqa.schemas.leaderboard_result import LeaderboardResult, SetFigures
from synfiqa.schemas.manifest import RunManifest

QUICK_PEOPLE, QUICK_IMAGES, QUICK_RESAMPLES = 20, 200, 20
"""Most identities and images of a set, and resamples, of a quick leaderboard."""
SCORERS = "evaluate.scorers"


@dataclass(frozen=True)
class _Page:
    """What is the same on every set."""

    config: LeaderboardConfig
    rows: Rows
    judges: Mapping[str, Model]
    labelling: str
    seed: int
    quick: bool

    @property
    def resamples(self) -> int:
        """Return the resamples of the intervals."""
        wanted = self.config.evaluate.bootstrap
        return min(wanted, QUICK_RESAMPLES) if self.quick else wanted


def build_leaderboard(
    config: LeaderboardConfig,
    recorded: RunConfig,
    storage: Storage,
    sources: Sequence[str],
    *,
    quick: bool = False,
    scores: Sequence[str] = (),
) -> LeaderboardResult:
    """Return all figures; `recorded` is the config that the run was made with, `sources` are sets NAME=PATH.

    `scores` are `[SET:]NAME=FILE` of further rows. UserError before anything is measured when a scorer or format is
    unknown, labels are missing, no scorer or no independent judge is at hand, and for scores that cannot be used. A set
    that is not there, or whose pairs carry no FMR, is left out and named.
    """
    use_cores()
    require_known(config.evaluate.scorers, SCORERS, recorded.models.catalogue)
    manifest = load_run(storage)
    run = resolve(recorded)
    try_plugins(run)
    calibration = require_calibration(storage, recorded.label.name)
    labelling = calibration.embedder or recorded.models.embedder
    settings = ScorerSettings(run.catalogue, recorded.models.embedder, recorded.run.seed)
    rows = rows_of(config, storage, manifest, settings)
    left_out = rows.left_out
    named = config.evaluate.judges or (recorded.models.evaluation_embedder, labelling)
    judges = judges_at_hand(tuple(dict.fromkeys(named)), run.catalogue, labelling, left_out)
    page = _Page(config, rows, judges, labelling, recorded.run.seed, quick)
    opened = _opened(sources, left_out)
    own, label = _own_set(storage, manifest, recorded, calibration, rows)
    names = [RUN, *(source.partition("=")[0] for source in sources)]
    files = open_score_files(scores, rows.names, names)
    if quick:
        own, kept = quick_part(own, QUICK_PEOPLE, QUICK_IMAGES, page.seed)
        label = label[kept]
        opened = [quick_part(test_set, QUICK_PEOPLE, QUICK_IMAGES, page.seed)[0] for test_set in opened]
    external = {test_set.name: matched_to(test_set, files) for test_set in (own, *opened)}
    costs = costs_of(rows.scorers, next(own.crops()).images, quick=quick) if config.costs else []
    sets = [_measured(page, own, rows.on_run(label), external[RUN], left_out)]
    sets += [_measured(page, test_set, rows.scorers, external[test_set.name], left_out) for test_set in opened]
    found = [figures for figures in sets if figures is not None]
    if not found:
        raise UserError("no test set carries an FMR of evaluate.fmr: " + "; ".join(left_out))
    sections = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return LeaderboardResult(
        run=manifest.fingerprint,
        dataset_sha256=calibration.dataset_sha256,
        config=hashlib.sha256(sections.encode()).hexdigest(),
        quick=quick,
        scorers=list(dict.fromkeys([*rows.names, *(file.name for file in files)])),
        sets=found,
        spreads=spreads_of(found, seed_groups(rows.trainings)),
        costs=costs,
        beaten=beaten_by_simple(found),
        published=list(PUBLISHED) if config.published else [],
        left_out=left_out,
    )


def _opened(sources: Sequence[str], left_out: list[str]) -> list[TestSet]:
    """Return the sets whose path is there; a path of no known format is refused, one that is missing is left out."""
    found = []
    for source in sources:
        try:
            found += open_test_sets([source], (BENCHMARK, *FORMATS))
        except UserError as error:
            if not str(error).endswith("does not exist"):
                raise
            name = source.partition("=")[0]
            made = "make it with `synfiqa benchmark make`, or " if name == "benchmark" else ""
            left_out.append(f"set {name}: {error}; {made}give its place with --on {name}=PATH")
    return found


def _own_set(
    storage: Storage, manifest: RunManifest, recorded: RunConfig, calibration: Calibration, rows: Rows
) -> tuple[TestSet, np.ndarray]:
    """Return the set of identities that every model of the run has held out, and their labels."""
    store = ShardStore(storage, manifest.fingerprint)
    commits = require_fresh_labels(store, calibration).shards
    shards = pair_shards(commits.values(), calibration.parts)
    identities = [own for own, _ in labelled_identities(storage, shards)]
    labelled = [int(identity) for own in identities for identity in own]
    splits = [split_of_record(training.basis, labelled, manifest.steps) for training in rows.trainings.values()]
    splits = splits or [split_run(recorded, labelled, manifest.steps)]
    tested = {identity for identity in labelled if all(split[identity] == "test" for split in splits)}
    if not tested:
        raise UserError("no identity is held out by every model: name models of one split in `models`")
    digest = calibration.dataset_sha256
    own, held_out = run_set(store, shards, identities, tested, manifest, digest)
    return own, held_out.label


def _measured(
    page: _Page,
    test_set: TestSet,
    scorers: Mapping[str, GuardedScorer],
    external: Sequence[MatchedScores],
    left_out: list[str],
) -> SetFigures | None:
    """Return the figures of one set; None, with a sentence, when its pairs carry no FMR."""
    section = page.config.evaluate
    pairs = pairs_of(test_set, section.pairs, page.seed)
    if page.quick:
        pairs = of_people(pairs, QUICK_PEOPLE, page.seed)
    try:
        carried(test_set.name, pairs, section.fmr)
    except UserError as error:
        left_out.append(f"set {test_set.name}: {error}")
        return None
    if test_set.crops_from == ALIGNED:
        refused = [name for name, scorer in scorers.items() if scorer.takes_portraits]
        left_out += [
            f"scorer {name} on {test_set.name}: it scores portraits, and this set has crops" for name in refused
        ]
        scorers = {name: scorer for name, scorer in scorers.items() if name not in refused}
    seen = _seen(page.rows, test_set)
    left_out += [f"scorer {name} on {test_set.name}: it may have learned from people of this set" for name in seen]
    embedders = {name: load_embedder(model) for name, model in page.judges.items()}
    images = scores_of(test_set, embedders, {name: own for name, own in scorers.items() if name not in seen})
    images = with_external(images, test_set, external)
    units = pooled(images, test_set.templates) if test_set.templates else images
    compared = pairs.between(units.present)
    fmrs, skipped = carried(test_set.name, compared, section.fmr)
    return SetFigures(
        name=test_set.name,
        protocol=f"{test_set.protocol}; {pairs.protocol} pairs",
        identities=len(np.unique(_people(compared))),
        images=int(units.present.sum()),
        results=_results(page, units, compared, fmrs),
        skipped=skipped,
        score_files=[one.record for one in external],
        correlation=rank_correlation(units.quality, units.present),
    )


def _seen(rows: Rows, test_set: TestSet) -> list[str]:
    """Return the rows that have learned from people of a set, models of this run by their record of it."""
    if test_set.manifest is None or test_set.identity is None:
        return []
    people = np.unique(test_set.identity).tolist()
    return [name for name, card in rows.cards.items() if seen_by(card, test_set.manifest, people, people)]


def _people(pairs: SetPairs) -> np.ndarray:
    return np.concatenate([pairs.identity[pairs.table.first], pairs.identity[pairs.table.second]])


def _results(page: _Page, units: SetScores, pairs: SetPairs, fmrs: list[float]) -> list[NetworkComparison]:
    """Return the results by each judge; the first model is compared with each other row."""
    first = next(iter(page.rows.trainings), next(iter(page.rows.scorers)))
    versus = [(first, other) for other in units.quality if other != first]
    protocol = Protocol(fmrs, page.config.evaluate.discard_limit, page.resamples, page.seed)
    return set_results(page.judges, page.labelling, units, pairs, protocol, versus)
