"""The pairs of a test set: listed, or enumerated from its identities; refused where they carry no FMR."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.fiqa_train.datasets.pair_table import (
    PairTable,
    contradictory_pairs,
    linked_identities,
    repeated_pairs,
)
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.fiqa_train.evaluation.compare import resolvable
from synfiqa.fiqa_train.evaluation.pairs import (
    MAX_IMPOSTORS,
    count_pairs,
    enumerate_pairs,
    probe_reference_pairs,
    recognition_of,
)
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import IdentitySource, Skipped

DRAWN_PAIRS = 5_000_000
"""Pairs beyond which no intervals are drawn: 200 resamples of so many take hours."""


@dataclass(frozen=True)
class SetPairs:
    """Pairs of the images or templates (units,) of a set, and the identities by which intervals are drawn.

    `protocol` is listed, probe-reference or all. `repeated` pairs are there twice, `contradictory` ones are called
    impostors although their images show one identity; both stay, since published figures have them too. `is_reference`
    (units,) stands where references and identities are known.
    """

    table: PairTable
    identity: np.ndarray
    identities_from: IdentitySource
    protocol: str
    sampled: bool
    repeated: int
    contradictory: int
    is_reference: np.ndarray | None = None

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many genuine and how many impostor pairs there are."""
        return self.table.counts

    @property
    def intervals(self) -> bool:
        """Return whether intervals are drawn: over two identities at least and DRAWN_PAIRS pairs at most."""
        return len(self.table.first) <= DRAWN_PAIRS and len(np.unique(self.identity)) > 1

    def recognition(self, vectors: np.ndarray) -> np.ndarray | None:
        """Return the mean cosine (units,) of each unit to its identity's references by one network, where known."""
        return None if self.is_reference is None else recognition_of(vectors, self.identity, self.is_reference)

    def between(self, present: np.ndarray) -> "SetPairs":
        """Return the pairs whose two units are both present (units,)."""
        return replace(self, table=self.table.where(present[self.table.first] & present[self.table.second]))


def pairs_of(test_set: TestSet, choice: str, seed: int) -> SetPairs:
    """Return the pairs of a set; `choice` (`evaluate.pairs`) decides where references are known and none are listed."""
    table, protocol, sampled = test_set.pairs, "listed", False
    if table is None:
        assert test_set.identity is not None
        table, protocol = enumerate_pairs(test_set.identity, MAX_IMPOSTORS, seed), "all"
        sampled = count_pairs(test_set.identity)[1] > MAX_IMPOSTORS
        if test_set.is_reference is not None and choice == "probe-reference":
            table, protocol = probe_reference_pairs(table, test_set.is_reference), choice
    units = test_set.units
    known = test_set.identity is not None and test_set.templates is None
    identity = test_set.identity if known else linked_identities(table, units)
    assert identity is not None
    listed = protocol == "listed"
    return SetPairs(
        table,
        identity,
        "given" if known else "linked by genuine pairs",
        protocol,
        sampled,
        repeated_pairs(table, units) if listed else 0,
        contradictory_pairs(table, identity) if listed else 0,
        test_set.is_reference if known else None,
    )


def carried(name: str, pairs: SetPairs, fmrs: Sequence[float]) -> tuple[list[float], list[Skipped]]:
    """Return the FMRs that the pairs carry, and the others with the reason; UserError where they carry none."""
    kept, skipped = resolvable(fmrs, *pairs.counts)
    if not kept:
        raise UserError(f"--on {name}: evaluate.fmr cannot be shown by its pairs: {skipped[-1].reason}")
    return kept, skipped
