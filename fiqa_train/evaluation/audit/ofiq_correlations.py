"""Each severity against the components of OFIQ that its factor lowers, from files of `--scores`."""

from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.fiqa_train.evaluation.audit.factor_lines import rank_correlation, share
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores
from synfiqa.schemas.audit import OfiqAudit
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.factor import Factor, Severity


def ofiq_audits(
    files: Sequence[MatchedScores],
    degraded: np.ndarray,
    severities: Mapping[str, np.ndarray],
    plugged: Sequence[Factor] = (),
) -> list[OfiqAudit]:
    """Return the correlation of each severity (of degraded images) with its components that a file has.

    `degraded` (N,) says which images of a set the severities are of, in order. A component that failed on all of them
    is left out; a file that is given for several components counts once.
    """
    found = []
    seen: set[str] = set()
    for one in files:
        digest = one.file.digest.partition(":")[0]
        if not one.components or digest in seen:
            continue
        seen.add(digest)
        for row in (*FACTORS, *plugged):
            for severity in row.severities:
                for component in severity.ofiq:
                    values = one.components.get(component, np.full(len(degraded), np.nan))[degraded]
                    if np.isfinite(values).any():
                        harm = severities[severity.name]
                        found.append(_audit(one.file.name, row, severity, component, values, harm))
    return found


def _audit(
    source: str, row: Factor, severity: Severity, component: str, values: np.ndarray, harm: np.ndarray
) -> OfiqAudit:
    assessed = np.isfinite(values)
    values, harm = values[assessed], harm[assessed]
    present = harm > 0
    return OfiqAudit(
        source=source,
        factor=row.field,
        severity=severity.name,
        component=component,
        n=len(values),
        failed=int((~assessed).sum()),
        neutral_share=share(~present),
        spearman=rank_correlation(values[present], harm[present]),
        spearman_all=rank_correlation(values, harm),
    )
