"""Totals of a dataset, summed over its commits."""

from collections import Counter
from collections.abc import Collection

from synfiqa.cluster.commits.merkle import dataset_root
from synfiqa.schemas.manifest import Commit, DatasetSummary

SUMMARY = "dataset.json"
"""Path of the summary of a finished generate job."""


def candidate_totals(counts: Counter[str]) -> tuple[int, dict[str, int], int]:
    """Return candidates planned, rejected by reason (most frequent first) and dead, from summed ledger counts.

    A replayed candidate is dead in one unit and decided in a later one: it is planned once, and no longer dead.
    """
    return counts["planned"] - counts["replayed"], rejected_by_reason(counts), counts["dead"] - counts["replayed"]


def rejected_by_reason(counts: Counter[str]) -> dict[str, int]:
    """Return the rejected rows by reason from summed counts, most frequent first."""
    reasons = {key.partition(":")[2]: count for key, count in counts.items() if key.startswith("rejected:")}
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def summarise(units: Collection[Commit], shards: Collection[Commit]) -> DatasetSummary:
    """Return the totals of the newest commits of the ledger and of the shards."""
    candidates: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    for commit in units:
        candidates.update(commit.counts)
    for commit in shards:
        samples.update(commit.counts)
    planned, rejected, dead = candidate_totals(candidates)
    return DatasetSummary(
        planned=planned,
        accepted=candidates["accepted"],
        rejected=rejected,
        dead=dead,
        samples=samples["accepted"],
        samples_planned=samples["planned"],
        samples_rejected=rejected_by_reason(samples),
        samples_dead=samples["dead"],
        references=samples["reference"],
        shards=len(shards),
        digest=dataset_root(units, shards),
    )
