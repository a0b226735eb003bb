"""Spread of models that were trained alike but for their seed: NAME-s0, NAME-s1, ..."""

import re
from collections.abc import Iterable, Sequence

from synfiqa.schemas.leaderboard_result import SetFigures, Spread

_SEED = re.compile(r"(.+)-s\d+")


def seed_groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names that end in -s and a number by what stands before it, groups of two and more."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if match := _SEED.fullmatch(name):
            groups.setdefault(match[1], []).append(name)
    return {group: members for group, members in groups.items() if len(members) > 1}


def spreads_of(sets: Sequence[SetFigures], groups: dict[str, list[str]]) -> list[Spread]:
    """Return mean and range of pAUC of each group on each set, judge, mode and FMR where two members have a value."""
    found = []
    for group, members in groups.items():
        for figures in sets:
            for result in figures.results:
                values = {name: result.methods[name].pauc for name in members if name in result.methods}
                known = {name: value for name, value in values.items() if value is not None}
                if len(known) < 2:
                    continue
                found.append(
                    Spread(
                        group=group,
                        members=list(known),
                        set=figures.name,
                        judge=result.embedder,
                        mode=result.mode,
                        fmr=result.fmr,
                        mean=round(sum(known.values()) / len(known), 8),
                        low=min(known.values()),
                        high=max(known.values()),
                    )
                )
    return found
