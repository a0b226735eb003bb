"""Held-out images of a run, the embedders that compare them, and the table of their scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.actors.imaging.codec import decode as decode_image
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.players import player
from synfiqa.actors.roles import Embedder
from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.schemas.errors import JobFailed

MAX_IMAGES = 20_000
"""Held-out images beyond which whole identities are left out, in order of their number."""


class HeldOut:
    """Held-out images uint8 RGB (N, 112, 112, 3) with identity, sample id, kind and label (NaN for references)."""

    def __init__(self, rows: list[dict[str, Any]], labels: Mapping[str, float]) -> None:
        self.images = np.stack([row["pixels"] for row in rows])
        self.identity = np.array([row["identity"] for row in rows], np.int64)
        self.sample_id = [str(row["sample_id"]) for row in rows]
        self.kind = [str(row["kind"]) for row in rows]
        self.label = np.array([labels.get(name, np.nan) for name in self.sample_id])


def read_held_out(store: ShardStore, identities: set[int], labels: pa.Table) -> HeldOut:
    """Read the images of these identities, up to `MAX_IMAGES`, with their labels (sample_id, identity, quality).

    JobFailed when there are none, or an image cannot be decoded.
    """
    rows = _rows(store, identities)
    if not rows:
        raise JobFailed(f"the run {store.storage.uri()} has no held-out images; generate more identities")
    kept = pa.array(sorted({row["identity"] for row in rows}), pa.int64())
    own = labels.filter(pc.is_in(labels["identity"], kept))
    return HeldOut(rows, dict(zip(own["sample_id"].to_pylist(), own["quality"].to_pylist(), strict=True)))


def embedders_of(run: ResolvedRun, labelling: str) -> list[Model]:
    """Return the independent embedder, then the one named `labelling`, unless both are one."""
    independent = run.models.evaluation_embedder
    labelled = run.catalogue.model(labelling, "embedder")
    return [independent] if independent.name == labelled.name else [independent, labelled]


def load_embedder(model: Model) -> Embedder:
    """Load an embedder with its weights."""
    embedder: Embedder = player(model)
    return embedder


def score_table(held_out: HeldOut, qualities: Mapping[str, np.ndarray]) -> bytes:
    """Return `scores.parquet`: one row an image with its qualities (N,) by method; null label for references."""
    columns = {"sample_id": held_out.sample_id, "identity": held_out.identity, "kind": held_out.kind, **qualities}
    columns["label"] = pa.array(held_out.label, from_pandas=True)
    return encode(pa.table(columns), "parquet", {})


def _rows(store: ShardStore, identities: set[int]) -> list[dict[str, Any]]:
    """Return samples of whole identities, shard by shard; no further shard is read after `MAX_IMAGES`."""
    rows: list[dict[str, Any]] = []
    for table in store.tables("samples", ["sample_id", "identity", "kind", "image"]):
        for identity in sorted(identities.intersection(table["identity"].to_pylist())):
            rows += [_pixels(row) for row in table.filter(pc.equal(table["identity"], identity)).to_pylist()]
            if len(rows) >= MAX_IMAGES:
                return rows
    return rows


def _pixels(row: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**row, "pixels": decode_image(row["image"]["bytes"])}
    except ValueError as error:
        raise JobFailed(
            f"the image of sample {row['sample_id']} cannot be used ({error}); generate it again"
        ) from error
