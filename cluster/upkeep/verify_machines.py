"""Notes about runs whose units were made on different kinds of machines, which may round differently."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from synfiqa.cluster.commits.shard_store import Kind
from synfiqa.cluster.telemetry.spans import from_provenance
from synfiqa.schemas.manifest import Commit

_SHOWN = 3
"""Units of a kind of machine that a note names."""


def machine_notes(newest: Mapping[tuple[Kind, int], Commit]) -> list[str]:
    """Return one note for each stage that ran on several kinds of machines, with some units of each."""
    units: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (kind, number), commit in sorted(newest.items()):
        for stage, span in from_provenance(commit.provenance).items():
            if span.machine:
                units[stage][span.machine].append(f"{kind} {number}")
    return [
        f"mixed: {stage} ran on {len(kinds)} kinds of machines, whose pixels may differ in the last bits: "
        + "; ".join(f"{machine} made {_some(made)}" for machine, made in sorted(kinds.items()))
        for stage, kinds in sorted(units.items())
        if len(kinds) > 1
    ]


def _some(made: Iterable[str]) -> str:
    listed = list(made)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
