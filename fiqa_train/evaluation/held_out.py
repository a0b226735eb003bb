"""Held-out images of a run, the judges that compare them, and the table of their scores."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.actors.imaging.codec import decode as decode_image
from synfiqa.actors.model_store.architectures.extras import require_extra
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.players import player
from synfiqa.actors.roles import Embedder
from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.fiqa_train.labels.parts import LabelledShard, read_part
from synfiqa.schemas.errors import JobFailed, UserError

MAX_IMAGES = 20_000
"""Held-out images beyond which whole identities are left out, in order of their number."""


class HeldOut:
    """Held-out images uint8 RGB (N, 112, 112, 3) with identity, sample id, kind and label (NaN for references).

    `rows` (N,) are the columns that were read of each, without its image.
    """

    def __init__(self, rows: list[dict[str, Any]], labels: Mapping[str, float]) -> None:
        self.images = _pixels(rows)
        self.rows = rows
        self.identity = np.array([row["identity"] for row in rows], np.int64)
        self.sample_id = [str(row["sample_id"]) for row in rows]
        self.kind = [str(row["kind"]) for row in rows]
        self.label = np.array([labels.get(name, np.nan) for name in self.sample_id])


def holding(
    shards: Sequence[LabelledShard], identities: Sequence[np.ndarray], wanted: Collection[int]
) -> list[LabelledShard]:
    """Return the shards that hold any of the wanted identities; `identities` (N,) are those of each shard."""
    return [shard for shard, own in zip(shards, identities, strict=True) if not set(own.tolist()).isdisjoint(wanted)]


def read_held_out(
    store: ShardStore, shards: Sequence[LabelledShard], identities: Collection[int], further: Sequence[str] = ()
) -> HeldOut:
    """Read images and labels of these identities from their shards, up to `MAX_IMAGES`, and no shard after that.

    `further` are columns of samples that the rows shall have beside sample_id, identity and kind.

    JobFailed when there are none, or an image cannot be decoded.
    """
    rows: list[dict[str, Any]] = []
    labels: dict[str, float] = {}
    # A shard of a run that has grown has several parts of labels.
    for _, members in groupby(shards, key=lambda shard: shard.commit.number):
        if len(rows) >= MAX_IMAGES:
            break
        parts = list(members)
        found = _rows(store, parts[0], identities, MAX_IMAGES - len(rows), further)
        kept = pa.array({row["identity"] for row in found}, pa.int64())
        for part in parts:
            own = read_part(store.storage, part.labels, ["sample_id", "identity", "quality"])
            own = own.filter(pc.is_in(own["identity"], kept))
            labels |= zip(own["sample_id"].to_pylist(), own["quality"].to_pylist(), strict=True)
        rows += found
    if not rows:
        raise JobFailed(f"the run {store.storage.uri()} has no held-out images; generate more identities")
    return HeldOut(rows, labels)


def judges_of(run: ResolvedRun, labelling: str) -> list[Model]:
    """Return the judges, those that did not label first; `labelling` is the embedder of the labels' f_r.

    Without `evaluate.judges` these are `models.evaluation_embedder` and the labelling embedder. UserError, before any
    image is read, when the labelling one would judge alone, or a judge needs an extra that
    is not installed.
    """
    named = run.config.evaluate.judges
    judges = [run.catalogue.model(name, "embedder") for name in named or _usual(run, labelling)]
    independent = [model for model in judges if model.name != labelling]
    if not independent:
        place = "evaluate.judges" if named else "models.evaluation_embedder"
        raise UserError(
            f"{labelling} made the labels and would be the only judge of a model that learned from them: name another "
            f"embedder in {place}"
        )
    for model in judges:
        require_extra(model.card)
    return independent + [model for model in judges if model.name == labelling]


def _usual(run: ResolvedRun, labelling: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((run.models.evaluation_embedder.name, labelling)))


def load_embedder(model: Model) -> Embedder:
    """Load an embedder with its weights."""
    embedder: Embedder = player(model)
    return embedder


def score_table(held_out: HeldOut, qualities: Mapping[str, np.ndarray]) -> bytes:
    """Return `scores.parquet`: one row an image with its qualities (N,) by method; null label for references."""
    columns = {"sample_id": held_out.sample_id, "identity": held_out.identity, "kind": held_out.kind, **qualities}
    columns["label"] = pa.array(held_out.label, from_pandas=True)
    return encode(pa.table(columns), "parquet", {})


def _rows(
    store: ShardStore, shard: LabelledShard, identities: Collection[int], limit: int, further: Sequence[str]
) -> list[dict[str, Any]]:
    """Return samples of whole identities of one shard, until there are `limit` of them."""
    table = store.read(shard.commit, ["sample_id", "identity", "kind", "image", *further])
    rows: list[dict[str, Any]] = []
    for identity in sorted(own for own in set(table["identity"].to_pylist()) if own in identities):
        rows += table.filter(pc.equal(table["identity"], identity)).to_pylist()
        if len(rows) >= limit:
            break
    return rows


def _pixels(rows: list[dict[str, Any]]) -> np.ndarray:
    """Return the decoded images of the rows; the encoded ones are a tenth of their size."""
    images = np.empty((len(rows), 112, 112, 3), np.uint8)
    for row, image in zip(rows, images, strict=True):
        try:
            image[:] = decode_image(row.pop("image")["bytes"])
        except ValueError as error:
            raise JobFailed(
                f"the image of sample {row['sample_id']} cannot be used ({error}); generate it again"
            ) from error
    return images
