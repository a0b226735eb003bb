"""Test sets of a leaderboard: the held-out identities of the run, those of the config and those of `--on`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.fiqa_train.datasets.testset import Crops, TestSet
from synfiqa.fiqa_train.evaluation.held_out import HeldOut, holding, read_held_out
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import SetPairs
from synfiqa.fiqa_train.labels.parts import LabelledShard
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest

RUN = "run"
"""Name of the set of the run's own held-out identities."""
BATCH = 64


def named_sources(configured: Mapping[str, str], on: Sequence[str]) -> list[str]:
    """Return NAME=PATH of the config's sets and of `--on`, which replaces those of the same name.

    UserError for a name that is the run's.
    """
    given = {source.partition("=")[0]: source for source in on}
    sources = [f"{name}={path}" for name, path in configured.items() if name not in given] + list(on)
    for source in sources:
        if source.partition("=")[0] == RUN:
            raise UserError(f"--on {source}: '{RUN}' is the name of the run's own held-out identities; choose another")
    return sources


def run_set(
    store: ShardStore,
    shards: Sequence[LabelledShard],
    identities: Sequence[np.ndarray],
    tested: Collection[int],
    manifest: RunManifest,
    digest: str,
) -> tuple[TestSet, HeldOut]:
    """Return the held-out identities of a run as a test set, and what was read of them with their labels."""
    held_out = read_held_out(store, holding(shards, identities, tested), tested)

    def crops() -> Iterator[Crops]:
        for start in range(0, len(held_out.images), BATCH):
            part = held_out.images[start : start + BATCH]
            yield Crops(part, ("",) * len(part))

    found = TestSet(
        name=RUN,
        format="run of synfiqa",
        protocol="held-out identities of the run, which no model of it has learned from",
        sha256=digest,
        ids=tuple(held_out.sample_id),
        crops=crops,
        identity=held_out.identity,
        is_reference=np.isnan(held_out.label),
        manifest=manifest,
    )
    return found, held_out


def of_people(pairs: SetPairs, most: int, seed: int) -> SetPairs:
    """Return the pairs between at most so many identities, drawn by the seed."""
    people = np.unique(pairs.identity)
    if len(people) <= most:
        return pairs
    chosen = np.isin(pairs.identity, np.random.default_rng(seed).permutation(people)[:most])
    table = pairs.table
    kept = chosen[table.first] & chosen[table.second]
    return replace(pairs, table=table.where(kept))
