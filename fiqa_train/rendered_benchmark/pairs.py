"""The fixed comparisons: each probe with its own references, and with one reference of each of some others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from synfiqa.fiqa_train.evaluation.pairs import PairTable
from synfiqa.fiqa_train.rendered_benchmark.plan import Settings
from synfiqa.schemas.seeds import derive_seed, generator

PAIRS = pa.schema([("probe", pa.string()), ("reference", pa.string()), ("genuine", pa.bool_())])
"""One row a comparison: paths of two images, and whether they show one identity."""


def fixed_pairs(settings: Settings, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return the comparisons of images described by `path`, `identity` and `role`, probe by probe, genuine ones first.

    The seed chooses the impostors of each probe: `settings.impostors` others without repeats (all if there are fewer).
    """
    references: dict[int, list[str]] = {}
    for row in rows:
        if row["role"] == "reference":
            references.setdefault(row["identity"], []).append(row["path"])
    people = np.array(sorted(references))
    count = min(settings.impostors, len(people) - 1)
    columns: dict[str, list[Any]] = {name: [] for name in PAIRS.names}
    for row in rows:
        if row["role"] != "probe":
            continue
        own = references[row["identity"]]
        rng = generator(derive_seed(settings.seed, "benchmark", "impostors", row["path"]))
        others = np.sort(rng.choice(people[people != row["identity"]], count, replace=False))
        against = [references[other][rng.integers(len(references[other]))] for other in others.tolist()]
        columns["probe"] += [row["path"]] * (len(own) + count)
        columns["reference"] += own + against
        columns["genuine"] += [True] * len(own) + [False] * count
    return pa.table(columns, schema=PAIRS)


def pair_positions(pairs: pa.Table, paths: Sequence[str]) -> PairTable:
    """Convert the comparisons to positions of their images in `paths`."""
    position = {path: index for index, path in enumerate(paths)}
    first, second = (
        np.array([position[path] for path in pairs[name].to_pylist()], np.int64) for name in ("reference", "probe")
    )
    return PairTable(first, second, pairs["genuine"].to_numpy(zero_copy_only=False))
