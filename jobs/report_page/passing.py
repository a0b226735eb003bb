"""Whether the filter lets people of every kind pass alike: candidates by what their generator says they look like."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest

from cluster.shard_store import ShardStore
from jobs.report_page.data import Commits, opened_units

CONFIDENCE = 0.99
"""Of the interval (Wilson) of a group's share; a group is unlike all when it does not hold the share of all."""

_COLUMNS = ["attributes", "status", "reason"]
_PASSED_ALL_RULES = "surplus"
_NAMED_REASONS = 3


@dataclass(frozen=True)
class Group:
    """One kind of people: candidates judged, share that broke no rule with its interval, most frequent reasons."""

    name: str
    candidates: str
    share: str
    interval: str
    reasons: str
    unlike: bool


@dataclass(frozen=True)
class Passing:
    """The share of all candidates that broke no rule, its groups, and how many ledger units of how many were read."""

    share: str
    groups: list[Group]
    partial: str


def passing(store: ShardStore, commits: Commits) -> Passing | None:
    """Return how groups of candidates fared; None where the generator says nothing of what they look like."""
    units = opened_units(commits)
    frames = [store.read(commit, _COLUMNS).to_pandas() for commit in units]
    judged = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_COLUMNS)
    judged = judged[judged["status"] != "dead"]
    names = judged["attributes"].map(group_names)
    if not names.map(len).any():
        return None
    passed = (judged["status"] == "accepted") | (judged["reason"] == _PASSED_ALL_RULES)
    overall = float(passed.mean())
    exploded = pd.DataFrame({"name": names, "passed": passed, "reason": judged["reason"]}).explode("name").dropna()
    order = {name: place for place, name in enumerate(_ORDER)}
    groups = sorted(exploded.groupby("name"), key=lambda item: order[str(item[0])])
    return Passing(
        share=_percent(overall),
        groups=[_group(str(name), rows["passed"], rows["reason"].tolist(), overall) for name, rows in groups],
        partial=""
        if len(units) == len(commits.units)
        else f"Of an even selection of {len(units)} of {len(commits.units):,} ledger units.",
    )


def group_names(attributes: str) -> list[str]:
    """Return the groups that a candidate's attributes (JSON) put it in: Monk skin tone, age, sex; unknown ones none."""
    try:
        known = json.loads(attributes)
    except ValueError:
        return []
    if not isinstance(known, dict):
        return []
    found = []
    for key, name in _GROUPS.items():
        value = known.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(name(value))
    return [name for name in found if name in _ORDER]


def _age(years: float) -> str:
    return "age under 30" if years < 30 else "age 30 to 49" if years < 50 else "age 50 and over"


def _sex(masculine: float) -> str:
    return "more feminine" if masculine < 0.5 else "more masculine"


_GROUPS = {"skin_tone": lambda tone: f"skin tone {tone:g}", "age": _age, "sex": _sex}
_ORDER = (
    *(f"skin tone {tone}" for tone in range(1, 11)),
    *("age under 30", "age 30 to 49", "age 50 and over", "more feminine", "more masculine"),
)


def _group(name: str, passed: pd.Series, reasons: Sequence[str], overall: float) -> Group:
    count = int(passed.sum())
    interval = binomtest(count, len(passed)).proportion_ci(CONFIDENCE, "wilson")
    broken = Counter(reason for reason in reasons if reason and reason != _PASSED_ALL_RULES)
    named = sorted(broken.items(), key=lambda item: (-item[1], item[0]))[:_NAMED_REASONS]
    return Group(
        name=name,
        candidates=f"{len(passed):,}",
        share=_percent(count / len(passed)),
        interval=f"{100 * interval.low:.0f} to {_percent(interval.high)}",
        reasons=", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in named),
        unlike=not interval.low <= overall <= interval.high,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
