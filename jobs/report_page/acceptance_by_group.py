"""Acceptance rates of the filter by group: skin tone, age and sex as the identity generator records them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest, fisher_exact

from synfiqa.fiqa_train.evaluation.audit.people_groups import GROUPS, KINDS, group_names

ALARM = 0.01
"""Probability that a filter with equal acceptance rates has any group marked (Bonferroni over all groups)."""

_NOT_JUDGED = "surplus"
"""Reason of candidates that were made after enough had been accepted; they were not compared with the ledger."""
_NAMED_REASONS = 3


@dataclass(frozen=True)
class Group:
    """One group: candidates judged, share accepted with its 95 % interval (Wilson), most frequent reasons.

    `unlike`: accepted more or less often than the others of its kind (tones, ages, sexes), beyond chance (`ALARM`).
    """

    name: str
    candidates: str
    share: str
    interval: str
    reasons: str
    unlike: bool


@dataclass(frozen=True)
class Acceptance:
    """The accepted share of all candidates judged and of each group; `partial` notes a selection of ledger units."""

    share: str
    groups: list[Group]
    partial: str


def acceptance_by_group(candidates: pd.DataFrame, read: int, units: int) -> Acceptance | None:
    """Return acceptance rates by group of candidates (`data.candidate_frame`); None where no attributes are recorded.

    The candidates are those of `read` of the ledger's `units`.
    """
    judged = candidates[(candidates["status"] != "dead") & (candidates["reason"] != _NOT_JUDGED)]
    names = judged["attributes"].map(group_names)
    if not names.map(len).any():
        return None
    judged = judged.assign(accepted=judged["status"] == "accepted")
    exploded = judged.assign(name=names).explode("name").dropna(subset="name")
    groups = {name: rows for name in GROUPS if len(rows := exploded[exploded["name"] == name])}
    return Acceptance(
        share=_percent(float(judged["accepted"].mean())),
        groups=[_group(name, rows, _others(name, groups), ALARM / len(groups)) for name, rows in groups.items()],
        partial="" if read == units else f"Of an even selection of {read} of {units:,} ledger units.",
    )


def _others(name: str, groups: Mapping[str, pd.DataFrame]) -> pd.Series:
    kind = next(kind for kind in KINDS.values() if name in kind)
    others = [groups[other]["accepted"] for other in kind if other in groups and other != name]
    return pd.concat(others) if others else pd.Series([], dtype=bool)


def _group(name: str, rows: pd.DataFrame, others: pd.Series, alarm: float) -> Group:
    accepted, count = int(rows["accepted"].sum()), len(rows)
    interval = binomtest(accepted, count).proportion_ci(0.95, "wilson")
    table = [[accepted, count - accepted], [int(others.sum()), int((~others).sum())]]
    broken = Counter(reason for reason in rows["reason"] if reason)
    named = sorted(broken.items(), key=lambda item: (-item[1], item[0]))[:_NAMED_REASONS]
    return Group(
        name=name,
        candidates=f"{count:,}",
        share=_percent(accepted / count),
        interval=f"{100 * interval.low:.0f} to {_percent(interval.high)}",
        reasons=", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in named),
        unlike=bool(fisher_exact(table).pvalue < alarm),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
