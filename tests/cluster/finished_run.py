"""A small finished run with every kind of file of a run folder, made without models."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import yaml

from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.dataset_summary import SUMMARY, summarise
from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.calibration import Calibration, RankTable, Scale
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import DataFile, DeadRow
from synfiqa.schemas.rows import CANDIDATES, LABELS, sample_id
from tests.cluster.synthetic import MODELS, config, samples

RUN = {"identities": 6, "per_shard": 2}
DEAD_SAMPLE = sample_id(3, "degraded", 7)


def ledger_rows(unit: int, first: int, accepted: int, rejected: int) -> pa.Table:
    rows = []
    for place in range(accepted + rejected):
        taken = place < accepted
        rows.append(
            dict.fromkeys(CANDIDATES.names)
            | {
                "candidate": unit * 4 + place,
                "unit": unit,
                "status": "accepted" if taken else "rejected",
                "reason": "" if taken else "glasses",
                "identity": first + place if taken else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def commit_unit(store: ShardStore, unit: int, accepted: int = 3, rejected: int = 1) -> None:
    table = ledger_rows(unit, unit * accepted, accepted, rejected)
    counts = {"planned": table.num_rows, "accepted": accepted, "rejected": rejected, "dead": 0, "replayed": 0}
    store.commit("identities", unit, table, counts | {"rejected:glasses": rejected})


def commit_shard(store: ShardStore, number: int, run: RunConfig, dead: tuple[str, ...] = (), revision: int = 0) -> None:
    size = run.generate.identities_per_shard
    table = samples(range(number * size, min((number + 1) * size, run.generate.identities)))
    kept = table.filter(pa.array([name not in dead for name in table["sample_id"].to_pylist()]))
    records = [DeadRow(item=name, stage="conditional_generator", error="ValueError: no", attempts=2) for name in dead]
    store.commit("samples", number, kept, sample_counts(kept, records), dead=records, revision=revision)


def summarise_run(store: ShardStore) -> None:
    summary = summarise(store.committed("identities").values(), store.committed("samples").values())
    store.storage.write(SUMMARY, summary.model_dump_json().encode())


def label(storage: Storage, store: ShardStore, name: str = "default") -> None:
    """Write a label pass with one part."""
    rows = pa.Table.from_pylist([{"sample_id": "000000/0", "identity": 0, "quality": 1.0}], schema=LABELS)
    data = encode(rows, "parquet", {})
    digest = hashlib.sha256(data).hexdigest()
    part = DataFile(path=f"labels/{name}/shard-000000-{digest[:12]}.parquet", sha256=digest, bytes=len(data), rows=1)
    storage.write(part.path, data)
    table = RankTable(values=[0.0], ranks=[1.0])
    scale = Scale(
        samples=1, spatial_weight=0.5, yaw=table, downsample=table, blur=table, raw=table, raw_min=0, raw_max=1
    )
    calibration = Calibration(
        name=name,
        fingerprint=store.fingerprint,
        dataset_sha256=store.dataset_digest(),
        frozen_from="",
        samples=1,
        clipped=0,
        scale=scale,
        parts=[part],
    )
    storage.write(f"labels/{name}/calibration.json", calibration.model_dump_json().encode())


def model(storage: Storage, name: str = "default") -> None:
    """Write placeholder weights and a card with their digest."""
    card = {
        "name": name,
        "role": "quality",
        "architecture": "none",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "input_size": 112,
        "channels": "rgb",
        "value_range": [-1, 1],
        "output": "a number",
        "licence": "Apache-2.0",
        "commercial_use": True,
        "trained_on": "nothing",
        "command": "none",
    }
    storage.write(f"models/{name}/model.safetensors", b"weights")
    storage.write(f"models/{name}/model.yaml", yaml.safe_dump(card).encode())
    storage.write(f"models/{name}/metrics.json", json.dumps({"name": name}).encode())


def finished_run(folder: Path, format: str = "parquet") -> tuple[Storage, ShardStore, RunConfig]:
    """Make the run: two ledger units, three shards, one dead sample that a replay has made since, labels, a model."""
    run = config(**RUN, storage={"format": format})
    storage = Storage(str(folder))
    manifest = open_run(storage, run, MODELS)
    store = ShardStore(storage, manifest.fingerprint, run.storage.format)
    for unit in range(2):
        commit_unit(store, unit)
    for number in range(3):
        commit_shard(store, number, run, (DEAD_SAMPLE,) if number == 1 else ())
    commit_shard(store, 1, run, revision=1)
    summarise_run(store)
    label(storage, store)
    model(storage)
    storage.write("report/index.html", b"<html></html>")
    return storage, store, run
