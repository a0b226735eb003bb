"""Small committed datasets without any model: tiny JPEGs and seeded components."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import RunManifest
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.rows import CANDIDATES, SAMPLES, image_path, sample_id

MODELS = {"bundled-a": "0" * 64}


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "JPEG")
    return sink.getvalue()


def samples(identities: range, references: int = 2, degraded: int = 12) -> pa.Table:
    rows = []
    for identity in identities:
        for kind, count in (("reference", references), ("degraded", degraded)):
            for index in range(count):
                random = np.random.default_rng((identity, index, kind == "degraded"))
                rows.append(
                    dict.fromkeys(SAMPLES.names)
                    | {
                        "sample_id": sample_id(identity, kind, index),
                        "identity": identity,
                        "candidate": identity * 2,
                        "kind": kind,
                        "index": index,
                        "image": {"bytes": jpeg(identity * 1000 + index), "path": image_path(identity, kind, index)},
                        "seed": 2**62 + index,
                        "measured_yaw": random.normal(0, 28),
                        "downsample": max(1.0, random.uniform(0.82, 1.6)),
                        "blur": max(1.0, random.uniform(0.82, 1.6)),
                        "occluder": "none",
                        "landmarks": random.uniform(0, 112, 10) if index % 3 else None,
                        "recognition": random.uniform(-0.2, 1),
                        "vision_language": random.uniform(0, 0.5),
                    }
                )
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def candidates(numbers: range) -> pa.Table:
    rows = [
        dict.fromkeys(CANDIDATES.names)
        | {"candidate": n, "unit": numbers.start, "status": "accepted", "embedding": [0.5] * 4, "identity": n}
        for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def config(identities: int = 12, per_shard: int = 4, **sections: dict) -> RunConfig:
    generate = {"identities": identities, "identities_per_shard": per_shard, "references": 2, "degraded": 12}
    return RunConfig.model_validate({"generate": generate, **sections})


def dataset(
    url: str,
    run: RunConfig | None = None,
    *,
    shards: range | None = None,
    models: dict[str, str] = MODELS,
    cards: tuple[ModelCard, ...] = (),
) -> tuple[Storage, RunManifest]:
    """Commit a synthetic run; `shards` leaves some of them out."""
    run = run or config()
    storage = Storage(url)
    manifest = open_run(storage, run, models, cards=cards)
    store = ShardStore(storage, manifest.fingerprint, run.storage.format)
    size, total = run.generate.identities_per_shard, run.generate.identities
    for number in shards if shards is not None else range(-(-total // size)):
        table = samples(range(number * size, min(total, (number + 1) * size)))
        store.commit("samples", number, table, sample_counts(table, ()))
    return storage, manifest
