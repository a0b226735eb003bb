"""A run of two identities with portraits of 72 pixels: rendered by the stage, committed without Ray."""

import pyarrow as pa

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import IDENTITIES, SAMPLES
from tests.cluster.synthetic import MODELS, jpeg

SIZE, REFERENCES, DEGRADED = 72, 2, 3


def config(*, portraits: bool = True, **storage: str) -> RunConfig:
    generate = {
        "identities": 2,
        "identities_per_shard": 1,
        "references": REFERENCES,
        "degraded": DEGRADED,
        "portrait_size": SIZE,
        "degraded_distribution": {"noise_rate": 1.0},
    }
    return RunConfig.model_validate({"generate": generate, "storage": {"portraits": portraits, **storage}})


def rendered(run: RunConfig) -> list[pa.Table]:
    """Return the samples of each shard, with label components in place of the annotator's."""
    stage = ConditionalGeneratorStage(resolve(run))
    tables = []
    for identity in range(run.generate.identities):
        row = {"identity": identity, "candidate": identity, "seed": 40 + identity, "attributes": "{}"}
        row["image"] = {"bytes": jpeg(identity), "path": "x.jpg"}
        table = stage.process(
            Work("samples", identity, pa.Table.from_pylist([row], schema=IDENTITIES), plan={})
        ).table.to_pylist()
        for index, sample in enumerate(table):
            sample.update(recognition=0.1 * index, vision_language=0.2)
        tables.append(pa.Table.from_pylist(table, schema=stage._schema))
    return tables


def committed(url: str, run: RunConfig, tables: list[pa.Table]) -> Storage:
    storage = Storage(url)
    store = ShardStore(storage, open_run(storage, run, MODELS).fingerprint, run.storage.format)
    for number, table in enumerate(tables):
        store.commit("samples", number, table, sample_counts(table, ()))
    return storage


def without_portraits(tables: list[pa.Table]) -> list[pa.Table]:
    return [table.select(SAMPLES.names) for table in tables]
