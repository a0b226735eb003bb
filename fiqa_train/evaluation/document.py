"""The document of an evaluation, `models/<name>/evaluation.json`, which is written last.

`synfiqa.schemas.evaluation.EvaluationResult` describes its fields. Methods are those of
`evaluate.scorers`, among them `model` and `label` (the oracle).
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.quality.correlation import spearman
from synfiqa.cluster.run.fingerprint import INPUT_FIELDS
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation.compare import number
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores
from synfiqa.fiqa_train.evaluation.held_out import HeldOut
from synfiqa.fiqa_train.evaluation.pairs import MAX_IMPOSTORS, PairTable, count_pairs
from synfiqa.schemas.audit import AuditResult
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.evaluation import (
    JUDGE,
    EvaluationBasis,
    EvaluationResult,
    Figure,
    Headline,
    NetworkComparison,
    OpinionBasis,
    OpinionEvaluation,
    SetEvaluation,
    Skipped,
    TrainingResult,
    parse,
)

EVALUATION = "evaluation.json"
SCORES = "scores.parquet"


def evaluation_basis(
    run: ResolvedRun,
    training: TrainingResult | None,
    embedders: list[Model],
    labelling: str,
    scorers: Mapping[str, str],
) -> EvaluationBasis:
    """Return everything that decides an evaluation: model, training, section `evaluate`, embedders, scorers, seed.

    `labelling` is the embedder of the labels, `scorers` are the digests of weights that scorers read beside the model.
    """
    config = run.config
    # The default of a field added later is omitted, so that older evaluations stay valid.
    plain = set() if config.evaluate.judges else {"judges"}
    return EvaluationBasis(
        model_sha256="" if training is None else training.model_sha256,
        training=None if training is None else training.basis,
        evaluate=config.evaluate.model_dump(mode="json", exclude=plain),
        evaluation_embedder=config.models.evaluation_embedder,
        label_embedder=labelling,
        embedders={model.name: run.digest(model) for model in embedders},
        inputs={model.name: model.card.model_dump(mode="json", include=INPUT_FIELDS) for model in embedders},
        scorers=dict(scorers),
        seed=config.run.seed,
    )


def existing_result[R: (EvaluationResult, SetEvaluation, AuditResult, OpinionEvaluation)](
    storage: Storage, path: str, kind: type[R], basis: EvaluationBasis | OpinionBasis
) -> R | None:
    """Return the result in a file if it has this basis, else None; it is then made again."""
    try:
        found = parse(kind, json.loads(storage.read(path)))
    except (FileNotFoundError, ValueError):  # absent, of another version, or damaged
        return None
    return found if found.basis == basis else None


def evaluation_document(
    config: RunConfig,
    basis: EvaluationBasis,
    held_out: HeldOut,
    table: PairTable,
    qualities: Mapping[str, np.ndarray],
    results: list[NetworkComparison],
    skipped: list[Skipped],
    seen: list[str],
    external: Sequence[MatchedScores],
) -> EvaluationResult:
    """Return the document of `results`, the one to quote first among them being the first; `seen` names models."""
    labelled = ~np.isnan(held_out.label)
    n_genuine, n_impostor = table.counts
    return EvaluationResult(
        basis=basis,
        name=config.train.name,
        identities=len(np.unique(held_out.identity)),
        images=len(held_out.label),
        degraded=int(labelled.sum()),
        n_genuine=n_genuine,
        n_impostor=n_impostor,
        impostors_sampled=count_pairs(held_out.identity)[1] > MAX_IMPOSTORS,
        pairs=config.evaluate.pairs,
        spearman={
            method: number(spearman(quality[labelled], held_out.label[labelled]))
            for method, quality in qualities.items()
            if method != "label"
        },
        results=results,
        skipped=skipped,
        seen=bool(seen),
        seen_by=seen,
        score_files=[one.record for one in external],
        headline=headline(results[0]),
    )


def headline(result: NetworkComparison) -> Headline:
    """Return the figures of a result that are quoted first."""
    return Headline(
        embedder=result.embedder,
        mode=result.mode,
        fmr=result.fmr,
        discard_limit=result.discard_limit,
        fnmr0=result.fnmr0,
        methods={
            name: Figure(pauc=own.pauc, interval=own.interval) for name, own in result.methods.items() if name != JUDGE
        },
    )
