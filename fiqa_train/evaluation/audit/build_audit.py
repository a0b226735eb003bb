"""The audit of all scorers of an evaluation, `models/<name>/audit.json`; `synfiqa.schemas.audit` describes it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.fiqa_train.datasets.pair_table import PairTable
from synfiqa.fiqa_train.evaluation.audit.factor_lines import factor_audits
from synfiqa.fiqa_train.evaluation.audit.group_curves import group_audits
from synfiqa.fiqa_train.evaluation.audit.ofiq_correlations import ofiq_audits
from synfiqa.fiqa_train.evaluation.audit.people_groups import KINDS, recorded_groups
from synfiqa.fiqa_train.evaluation.audit.quality_levels import levels_of, monotonicity
from synfiqa.fiqa_train.evaluation.audit.rejection import REJECT_SHARE, common_threshold
from synfiqa.fiqa_train.evaluation.compare import Protocol, number
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores
from synfiqa.fiqa_train.evaluation.held_out import HeldOut
from synfiqa.fiqa_train.labels.severities import flat_columns, severities, severity_columns
from synfiqa.schemas.audit import AuditResult, MethodAudit
from synfiqa.schemas.evaluation import EvaluationBasis
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.recipe import PLUGINS, SHOT
from synfiqa.schemas.rows import samples_schema

AUDIT = "audit.json"


def build_audit(
    name: str,
    basis: EvaluationBasis,
    store: ShardStore,
    held_out: HeldOut,
    qualities: Mapping[str, np.ndarray],
    files: Sequence[MatchedScores],
    judge: str,
    similarity: np.ndarray,
    table: PairTable,
    protocol: Protocol,
    plugged: Sequence[Factor] = (),
) -> AuditResult:
    """Return the audit of qualities (N,) by method on held-out images (N,) of a model's run.

    `held_out` was read with the columns of `audit_columns(plugged)`; `similarity` (P,) of the pairs is by the judge of
    that name.
    """
    degraded = ~np.isnan(held_out.label)
    flat = _flat(held_out, degraded, plugged)
    harm, level = severities(flat, plugged), levels_of(held_out.label)
    groups = recorded_groups(store, set(held_out.identity.tolist()))
    thresholds = {method: common_threshold(quality, REJECT_SHARE) for method, quality in qualities.items()}
    by_group = group_audits(groups, qualities, thresholds, similarity, table, held_out.identity, protocol)
    methods = {
        method: MethodAudit(
            factors=factor_audits(flat, harm, quality[degraded], plugged),
            monotonicity=monotonicity(level, quality),
            threshold=thresholds[method],
            rejected=number(float((quality < thresholds[method]).mean())) or 0.0,
            groups=by_group[method],
        )
        for method, quality in qualities.items()
    }
    return AuditResult(
        basis=basis,
        name=name,
        embedder=judge,
        images=len(held_out.label),
        degraded=int(degraded.sum()),
        reject_share=REJECT_SHARE,
        without_group={
            kind: missing
            for kind, names in KINDS.items()
            if (missing := sum(not set(own) & set(names) for own in groups.values()))
        },
        methods=methods,
        ofiq=ofiq_audits(files, degraded, harm, plugged),
    )


def audit_columns(plugged: Sequence[Factor] = ()) -> tuple[str, ...]:
    """Return the columns of samples that an audit reads beside those of an evaluation."""
    return severity_columns(plugged)


def _flat(held_out: HeldOut, degraded: np.ndarray, plugged: Sequence[Factor]) -> dict[str, np.ndarray]:
    names = [row.field.partition(".") for row in plugged]
    schema = samples_schema(
        [name for part, _, name in names if part == PLUGINS], shots=any(part == SHOT for part, _, _ in names)
    )
    wanted = pa.schema([schema.field(name) for name in audit_columns(plugged)])
    rows = [row for row, kept in zip(held_out.rows, degraded, strict=True) if kept]
    return flat_columns(pa.Table.from_pylist(rows, schema=wanted), plugged)
