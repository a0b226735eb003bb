"""The small JSON objects that make things exist: run manifest, shard commits, unit commits, dead records."""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.rows import SCHEMA_VERSION


class Record(BaseModel):
    """Base of every manifest: unknown keys are errors, so a reader never guesses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(Record):
    """One immutable data file, by its path inside the run folder."""

    path: str
    sha256: str
    bytes: int
    rows: int


class DeadRow(Record):
    """A candidate or sample that was not made, with all that is needed to find out why and to replay it.

    Dead: an error, which a replay may mend. With a `reason`, a sample is rejected: tried as often as the config allows
    and found unfit each time, which is finished work.
    """

    item: str = Field(description="sample_id, or candidate number")
    stage: str
    error: str = Field(description="type and message of the last error, in one line; of a rejected sample, in words")
    reason: str = Field("", description="why a sample is rejected, such as no_face; empty for a dead row")
    value: float | None = Field(None, description="the measurement that rejected")
    traceback: str = ""
    attempts: int = Field(ge=1)
    node: str = ""
    spec: str = Field("", description="JSON of what was asked for: the recipe of a sample, the seed of a candidate")


class Commit(Record):
    """A unit of finished work. It exists if and only if this object exists (promise 2).

    A replay of dead rows makes the next `revision` of the unit: a commit of its own, which readers prefer.
    """

    kind: Literal["samples", "identities"]
    number: int = Field(ge=0)
    revision: int = Field(0, ge=0)
    file: DataFile
    dead: DataFile | None = Field(
        None,
        description="Parquet of synfiqa.schemas.rows.DEAD, present when rows of the unit are dead, or samples rejected",
    )
    content_sha256: str = Field(description="digest of the rows themselves, equal for every file format")
    counts: dict[str, int] = Field(description="rows by outcome: planned = accepted + rejected + dead, and more")
    fingerprint: str
    schema_version: int = SCHEMA_VERSION
    provenance: dict[str, str] = Field(
        default_factory=dict,
        description="node, process, time and GPU per stage (synfiqa.cluster.telemetry.spans); not digested",
    )

    @model_validator(mode="after")
    def _adds_up(self) -> "Commit":
        counts = self.counts
        if "planned" in counts and counts["planned"] != sum(counts.get(k, 0) for k in ("accepted", "rejected", "dead")):
            raise ValueError(f"planned must be accepted + rejected + dead, not {counts}")
        return self


class StoreTraits(Record):
    """What the preflight found out about the store of a run."""

    create_if_absent: Literal["enforced", "last writer wins"]


class RunManifest(Record):
    """`run.json`: what this run is. Written once; a later submit must agree with it."""

    schema_version: int = SCHEMA_VERSION
    fingerprint: str
    recipe: dict = Field(description="recipe sections of the config, as fingerprinted")
    config: dict = Field(description="the whole config at first submit")
    code_version: str
    models: dict[str, str] = Field(description="model name -> digest")
    cards: tuple[ModelCard, ...] = Field((), description="of the models that made the dataset, with their licences")
    versions: dict[str, str] = Field(description="library versions at first submit; recorded, not enforced")
    store: StoreTraits | None = None
    created: str


class DatasetSummary(Record):
    """`dataset.json`: what a finished generate job made. planned = accepted + rejected + dead, of both kinds of row."""

    planned: int = Field(description="candidates")
    accepted: int
    rejected: dict[str, int] = Field(description="candidates by reason")
    dead: int = Field(description="candidates that could not be made")
    samples: int = Field(description="committed samples, references among them")
    samples_planned: int
    samples_rejected: dict[str, int] = Field(default_factory=dict, description="samples by reason")
    samples_dead: int
    references: int = Field(description="reference images among the samples")
    shards: int
    digest: str = Field(description="Merkle root over the commits")


class Dead(Record):
    """A whole unit that could not be made: its process died again and again, or a stage failed outside its rows."""

    kind: Literal["samples", "identities"]
    number: int
    stage: str
    error: str
    traceback: str = ""
    attempts: int = Field(ge=1)
    node: str = ""

    def row(self, item: str, spec: dict | None = None) -> DeadRow:
        """Return the record of one of the unit's rows."""
        return DeadRow(
            item=item,
            stage=self.stage,
            error=self.error,
            traceback=self.traceback,
            attempts=self.attempts,
            node=self.node,
            spec=json.dumps(spec, sort_keys=True) if spec else "",
        )
