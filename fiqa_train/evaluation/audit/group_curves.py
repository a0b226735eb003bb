"""Every scorer on the pairs and images of each group of people."""

from collections.abc import Mapping

import numpy as np

from synfiqa.fiqa_train.datasets.pair_table import PairTable
from synfiqa.fiqa_train.evaluation.audit.people_groups import KINDS
from synfiqa.fiqa_train.evaluation.audit.rejection import rejection
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare, resolvable
from synfiqa.fiqa_train.evaluation.random_quality import RANDOM
from synfiqa.schemas.audit import GroupAudit, GroupCurve
from synfiqa.schemas.evaluation import Comparison, Skipped


def group_audits(
    groups: Mapping[int, list[str]],
    qualities: Mapping[str, np.ndarray],
    thresholds: Mapping[str, float],
    similarity: np.ndarray,
    table: PairTable,
    identity: np.ndarray,
    protocol: Protocol,
) -> dict[str, list[GroupAudit]]:
    """Return by method its audit on each group that has images, in the order of `KINDS`.

    `groups` are those of each identity; qualities and `identity` are of images (N,), `similarity` of pairs (P,). Pairs
    count in a group when both identities belong to it, so that each group has a threshold of its own. `random` has no
    curves: a mean over 200 draws for each group costs more than all else, and its pAUC is 1.
    """
    drawn = {name: quality for name, quality in qualities.items() if name != RANDOM}
    found: dict[str, list[GroupAudit]] = {name: [] for name in qualities}
    for kind, names in KINDS.items():
        for name in names:
            members = [person for person, own in groups.items() if name in own]
            here = np.isin(identity, np.array(members, np.int64))
            if not here.any():
                continue
            comparisons, skipped = _compared(drawn, similarity, table, identity, here, protocol)
            for method, quality in qualities.items():
                rejected = quality[here] < thresholds[method]
                own = GroupAudit(
                    kind=kind,
                    group=name,
                    identities=len(np.unique(identity[here])),
                    images=int(here.sum()),
                    curves=[_curve(one, method) for one in comparisons if method in one.methods],
                    skipped=skipped,
                    rejected=rejection(rejected, identity[here], protocol.resamples, protocol.seed),
                )
                found[method].append(own)
    return found


def _compared(
    qualities: Mapping[str, np.ndarray],
    similarity: np.ndarray,
    table: PairTable,
    identity: np.ndarray,
    here: np.ndarray,
    protocol: Protocol,
) -> tuple[list[Comparison], list[Skipped]]:
    """Return the results on the pairs inside a group (N,) by FMR, and the FMRs that they are too few for."""
    kept = here[table.first] & here[table.second]
    own = table.where(kept)
    fmrs, skipped = resolvable(protocol.fmr, *own.counts)
    if not fmrs:
        return [], skipped
    inside = Protocol(fmrs, protocol.discard_limit, protocol.resamples, protocol.seed, ("leaderboard",))
    return compare(qualities, similarity[kept], own, identity, inside), skipped


def _curve(result: Comparison, method: str) -> GroupCurve:
    own = result.methods[method]
    return GroupCurve(
        fmr=result.fmr,
        fnmr0=result.fnmr0,
        n_genuine=result.n_genuine,
        n_impostor=result.n_impostor,
        carriers=result.carriers,
        few_carriers=result.few_carriers,
        pauc=own.pauc,
        interval=own.interval,
        note=own.note,
        discard=own.discard,
        fnmr=own.fnmr,
    )
