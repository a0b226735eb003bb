"""Groups of people by skin tone, age and sex, as the identity generator records them in the ledger."""

import json
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.schemas.audit import GROUP_KINDS
from synfiqa.schemas.manifest import Commit

KINDS: Final = dict(
    zip(
        GROUP_KINDS,
        (
            tuple(f"skin tone {tone}" for tone in range(1, 11)),
            ("age under 30", "age 30 to 49", "age 50 and over"),
            ("more feminine", "more masculine"),
        ),
        strict=True,
    )
)
"""Names of the groups by kind; skin tones are those of the Monk scale."""

GROUPS: Final = tuple(name for names in KINDS.values() for name in names)
"""Names of all groups, in order."""


def group_names(attributes: str) -> list[str]:
    """Return the groups that a candidate's attributes (JSON) put it in: Monk skin tone, age, sex; unknown ones none."""
    try:
        known = json.loads(attributes)
    except ValueError:
        return []
    if not isinstance(known, dict):
        return []
    found = []
    for key, name in _NAMES.items():
        value = known.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(name(value))
    return [name for name in found if name in GROUPS]


def recorded_groups(store: ShardStore, identities: Collection[int]) -> dict[int, list[str]]:
    """Return the groups of these identities by the ledger of a run; none for an identity that it does not hold."""
    wanted = pa.array(sorted(identities), pa.int64())
    found: dict[int, list[str]] = {identity: [] for identity in sorted(identities)}
    commits = list(_holding(store.committed("identities"), sorted(identities)))
    for unit in store.read_each(commits, ["identity", "attributes"]):
        own = unit.filter(pc.is_in(unit["identity"], wanted))
        for identity, attributes in zip(own["identity"].to_pylist(), own["attributes"].to_pylist(), strict=True):
            found[identity] = group_names(attributes or "")
    return found


def _holding(units: Mapping[int, Commit], identities: list[int]) -> Iterator[Commit]:
    """Yield the ledger units that hold any of the identities, which are numbered in the order of the units."""
    first = 0
    for commit in units.values():
        after = first + commit.counts.get("accepted", 0)
        if bisect_left(identities, first) < bisect_left(identities, after):
            yield commit
        first = after


def _age(years: float) -> str:
    return "age under 30" if years < 30 else "age 30 to 49" if years < 50 else "age 50 and over"


def _sex(masculine: float) -> str:
    return "more feminine" if masculine < 0.5 else "more masculine"


_NAMES = {"skin_tone": lambda tone: f"skin tone {tone:g}", "age": _age, "sex": _sex}
