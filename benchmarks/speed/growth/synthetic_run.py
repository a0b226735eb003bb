"""Runs of any size without models: constant small pictures, and shards and ledger units written by the real store."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks.speed.labels import shard as label_rows
from synfiqa.cluster.commits.dataset_summary import SUMMARY, summarise
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run, open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import CANDIDATES, SAMPLES, sample_id

REFERENCES, DEGRADED, UNIT, DIMENSIONS = 2, 18, 64, 64
EACH = REFERENCES + DEGRADED
"""Samples of an identity."""
MODELS = {"bundled-a": "a" * 64, "bundled-clip": "b" * 64, "mtcnn": "c" * 64}


@dataclass(frozen=True)
class SyntheticRun:
    """A run folder with so many samples, its config and its store."""

    folder: str
    samples: int
    config: RunConfig

    @property
    def storage(self) -> Storage:
        """The folder as a storage."""
        return Storage(self.folder)

    def store(self) -> ShardStore:
        """Return a store that has read nothing yet."""
        return ShardStore(self.storage, load_run(self.storage).fingerprint)


def synthetic_run(folder: str, samples: int, per_shard: int = 5, **sections: dict) -> SyntheticRun:
    """Return the run of a folder, which `make` fills; `per_shard` identities a shard."""
    identities = max(3, samples // EACH)
    generate = {
        "identities": identities,
        "identities_per_shard": per_shard,
        "references": REFERENCES,
        "degraded": DEGRADED,
        "candidates_per_unit": UNIT,
    }
    tree = {"run": {"url": folder}, "generate": generate, "filter": {"max_similarity": 0.999}, **sections}
    return SyntheticRun(folder, samples, RunConfig.model_validate(tree))


def make(run: SyntheticRun, *, pictures: bool = True) -> None:
    """Commit all ledger units and shards of a run, and its summary."""
    config = run.config
    store = ShardStore(run.storage, open_run(run.storage, config, MODELS).fingerprint)
    identities, size = config.generate.identities, config.generate.identities_per_shard
    for number, first in enumerate(range(0, identities, UNIT)):
        unit = candidates(number, range(first, min(first + UNIT, identities)))
        counts = {"planned": unit.num_rows, "accepted": unit.num_rows, "rejected": 0, "dead": 0, "replayed": 0}
        store.commit("identities", number, unit, counts)
    for number, first in enumerate(range(0, identities, size)):
        table = samples(range(first, min(first + size, identities)), pictures=pictures)
        store.commit("samples", number, table, sample_counts(table.num_rows))
    committed = store.all_committed()
    summary = summarise(committed.units.values(), committed.shards.values())
    run.storage.write(SUMMARY, summary.model_dump_json().encode())


def sample_counts(rows: int) -> dict[str, int]:
    """Return the counts of a shard of so many rows, none of them dead."""
    references = rows * REFERENCES // EACH
    counts = {"planned": rows, "accepted": rows, "rejected": 0, "dead": 0}
    return {**counts, "reference": references, "degraded": rows - references}


def candidates(number: int, identities: range) -> pa.Table:
    """Return a decided ledger unit whose candidates are all accepted."""
    random = np.random.default_rng(number)
    vectors = random.normal(size=(len(identities), DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = {
        "candidate": list(identities),
        "unit": [number] * len(identities),
        "status": ["accepted"] * len(identities),
        "reason": [""] * len(identities),
        "identity": list(identities),
        "embedding": vectors.tolist(),
        "attributes": ["{}"] * len(identities),
        "image": [_picture()] * len(identities),
    }
    return _table(columns, len(identities), CANDIDATES)


def samples(identities: range, *, pictures: bool) -> pa.Table:
    """Return the rows of one shard: random components and factors, one constant picture."""
    kinds = [("reference", n) for n in range(REFERENCES)] + [("degraded", n) for n in range(DEGRADED)]
    base = label_rows(range(identities.start, identities.start + -(-len(identities) * EACH // 22) + 1))
    count = len(identities) * EACH
    columns = {name: base[name].slice(0, count).combine_chunks() for name in base.schema.names}
    columns |= {
        "sample_id": [sample_id(identity, *kind) for identity in identities for kind in kinds],
        "identity": np.repeat(np.arange(identities.start, identities.stop), EACH),
        "kind": [kind for kind, _ in kinds] * len(identities),
        "index": [index for _, index in kinds] * len(identities),
        "occluder": ["none"] * count,
        "prompt": [""] * count,
        "template": [""] * count,
        "image": [_picture() if pictures else None] * count,
    }
    return _table(columns, count, SAMPLES)


def _table(columns: dict, count: int, schema: pa.Schema) -> pa.Table:
    made = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema]
    return pa.Table.from_arrays(made, schema=schema)


def _picture(known: dict = {}) -> dict:  # noqa: B006
    if not known:
        sink = io.BytesIO()
        Image.new("RGB", (112, 112), (90, 120, 150)).save(sink, "JPEG")
        known.update(bytes=sink.getvalue(), path="constant.jpg")
    return known


def is_made(run: SyntheticRun) -> bool:
    """Return whether the run is there, whole."""
    return (Path(run.folder) / SUMMARY).exists()
