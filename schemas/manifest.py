"""The small JSON objects that make things exist: run manifest, shard commits, unit commits, dead records."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.rows import SCHEMA_VERSION


class Record(BaseModel):
    """Base of every manifest: unknown keys are errors, so a reader never guesses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(Record):
    """One immutable data file, by its path inside the run folder."""

    path: str
    sha256: str
    bytes: int
    rows: int


class Commit(Record):
    """A unit of finished work. It exists if and only if this object exists (promise 2)."""

    kind: Literal["samples", "identities", "labels"]
    number: int = Field(ge=0)
    file: DataFile
    content_sha256: str = Field(description="digest of the rows themselves, equal for every file format")
    counts: dict[str, int] = Field(description="rows by outcome, e.g. accepted, rejected, reference, degraded")
    fingerprint: str
    schema_version: int = SCHEMA_VERSION
    provenance: dict[str, str] = Field(
        default_factory=dict, description="node, process, seconds per stage; not digested"
    )


class RunManifest(Record):
    """`run.json`: what this run is. Written once; a later submit must agree with it."""

    schema_version: int = SCHEMA_VERSION
    fingerprint: str
    recipe: dict = Field(description="recipe sections of the config, as fingerprinted")
    config: dict = Field(description="the whole config at first submit")
    code_version: str
    models: dict[str, str] = Field(description="model name -> digest")
    versions: dict[str, str] = Field(description="library versions at first submit; recorded, not enforced")
    created: str


class Dead(Record):
    """Work that could not be done after every attempt. Kept until a later submit makes it."""

    kind: Literal["samples", "identities"]
    number: int
    stage: str
    error: str
    attempts: int
    node: str = ""
