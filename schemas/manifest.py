"""JSON records of a run: run manifest, commits of units and shards, dataset summary, dead rows."""

import json
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.rows import SCHEMA_VERSION


class Record(BaseModel):
    """Base of every JSON record: rejects unknown keys; values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(Record):
    """Immutable data file: path inside the run folder, digest, length, number of rows."""

    path: str
    sha256: str
    bytes: int
    rows: int


class DeadRow(Record):
    """Candidate or sample that was not made, with its error and the specification to replay it.

    Without a `reason` it is dead: an error, which a replay may repair. With a `reason` it is a rejected sample: it
    failed a check in every permitted try and is finished work.
    """

    item: str = Field(description="sample_id, or candidate number")
    stage: str
    error: str = Field(
        description="type and message of the last error in one line; of a rejected sample, the reason in words"
    )
    reason: str = Field("", description="why a sample is rejected, such as no_face; empty for a dead row")
    value: float | None = Field(None, description="measurement that the reason is about")
    traceback: str = ""
    attempts: int = Field(ge=1)
    node: str = ""
    spec: str = Field("", description="JSON specification: the recipe of a sample, the seed of a candidate")


class Commit(Record):
    """Record of a finished unit, which exists if and only if this object exists (docs/architecture.md, promise 2).

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
    content_sha256: str = Field(description="digest of the rows, equal for every file format")
    counts: dict[str, int] = Field(description="rows by outcome: planned = accepted + rejected + dead, and more")
    fingerprint: str
    schema_version: int = SCHEMA_VERSION
    provenance: dict[str, str] = Field(
        default_factory=dict,
        description="node, process, time and GPU per stage (synfiqa.cluster.telemetry.spans); not digested",
    )
    followers: tuple["Commit", ...] = Field(
        (),
        description="commits of the next ledger units, created after this one: where a driver was killed in between, "
        "the next one creates them; absent in most commits",
    )

    @model_serializer(mode="wrap")
    def _without_empty_followers(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = whole(self)
        return fields if self.followers else {name: value for name, value in fields.items() if name != "followers"}

    @model_validator(mode="after")
    def _adds_up(self) -> "Commit":
        counts = self.counts
        if "planned" in counts and counts["planned"] != sum(counts.get(k, 0) for k in ("accepted", "rejected", "dead")):
            raise ValueError(f"planned must be accepted + rejected + dead, not {counts}")
        return self


class StoreTraits(Record):
    """Properties of the store of a run, measured by the preflight."""

    create_if_absent: Literal["enforced", "last writer wins"]


class Growth(Record):
    """Content of `growth/NNNNNN.json`: one growth of a run to more identities; its fingerprint stays what it was."""

    before: int = Field(ge=1, description="`generate.identities` until then")
    identities: int = Field(ge=1, description="`generate.identities` from then on")
    by: str = Field(description="host and process of the driver that grew the run")
    code_version: str
    grown: str = Field(description="date and time")

    @model_validator(mode="after")
    def _rises(self) -> "Growth":
        if self.identities <= self.before:
            raise ValueError(f"a run grows, but {self.identities} is not more than {self.before}")
        return self


class RunManifest(Record):
    """Content of `run.json`: config, fingerprint and models of a run; written once, later submits must match it."""

    schema_version: int = SCHEMA_VERSION
    fingerprint: str
    recipe: dict = Field(description="fingerprint document: all that determines the dataset's bytes")
    config: dict = Field(description="the whole config at first submit")
    code_version: str
    models: dict[str, str] = Field(description="model name -> digest")
    cards: tuple[ModelCard, ...] = Field(
        (), description="cards of the models that made the dataset, with their licences"
    )
    versions: dict[str, str] = Field(description="library versions at first submit; recorded, not enforced")
    store: StoreTraits | None = None
    created: str
    # Not in run.json, which is never written again: each growth is a file of its own.
    growth: tuple[Growth, ...] = Field((), exclude=True, description="growths since, from `growth/`, oldest first")

    @property
    def identities(self) -> int:
        """Number of accepted identities that the run wants by now."""
        return self.steps[-1]

    @property
    def steps(self) -> tuple[int, ...]:
        """Numbers of identities that the run wanted, the first and that after each growth, ascending."""
        return (int(self.recipe["generate"]["identities"]), *(growth.identities for growth in self.growth))


class DatasetSummary(Record):
    """Content of `dataset.json`: totals of a finished generate job.

    planned = accepted + rejected + dead, for candidates and for samples.
    """

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
    """Unit that could not be made: its process died repeatedly, or a stage failed outside its rows."""

    kind: Literal["samples", "identities"]
    number: int
    stage: str
    error: str
    traceback: str = ""
    attempts: int = Field(ge=1)
    node: str = ""

    def row(self, item: str, spec: dict | None = None) -> DeadRow:
        """Return the dead row of one item of the unit."""
        return DeadRow(
            item=item,
            stage=self.stage,
            error=self.error,
            traceback=self.traceback,
            attempts=self.attempts,
            node=self.node,
            spec=json.dumps(spec, sort_keys=True) if spec else "",
        )
