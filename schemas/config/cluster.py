"""Config sections of run, storage, placement and resilience."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from synfiqa.schemas.config.base import Section


class RunSection(Section):
    """Location of the run, and the seed that all other seeds derive from."""

    url: str = Field("runs/quickstart", min_length=1, description="folder or fsspec URL of the run")
    seed: int = Field(0, ge=0, lt=2**63, description="number that all other seeds derive from")


class StorageSection(Section):
    """File format of sample shards, and what they keep of each sample beside its crop."""

    format: Literal["parquet", "webdataset"] = Field(
        "parquet", description="Parquet tables, or WebDataset tar files (a JPEG and a JSON file a sample)"
    )
    portraits: bool = Field(
        False,
        description="also keep each sample's whole portrait, clean, at generate.portrait_size, as PNG, with 68 "
        "landmarks; rendered samples only",
    )


class PlacementSection(Section):
    """Layout of the stages on the cluster.

    On one class of hardware it does not change the dataset (docs/architecture.md, promise 1).
    """

    mode: Literal["auto", "fused", "split"] = Field(
        "auto",
        description="fused: all stages of a half share one process; split: one pool per stage; auto chooses",
    )
    workers: int = Field(0, ge=0, le=4096, description="workers per pool; 0 means as many as the cluster holds")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="processor of the networks; auto: GPUs if the cluster has any, else CPUs"
    )
    memory_mb: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="stage name -> GPU memory of one worker in MB, as `synfiqa calibrate` prints it",
    )
    gpu_memory_mb: int = Field(
        0, ge=0, description="memory of one GPU in MB; with memory_mb, workers are packed onto it; 0: unset"
    )
    object_store_mb: int = Field(0, ge=0, description="bound on data in flight in MB; 0 leaves it to Ray Data")
    labels: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="stage name -> Ray node labels its workers must have, e.g. {annotator: {pool: small-gpu}}",
    )

    stage_workers: dict[str, Annotated[int, Field(ge=1, le=4096)]] = Field(
        default_factory=dict, description="stage name -> its workers, in place of workers"
    )
    ram_mb: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="stage name -> main memory of one worker in MB; nodes then take no more workers than theirs holds",
    )

    @model_validator(mode="after")
    def _check(self) -> "PlacementSection":
        if bool(self.memory_mb) != bool(self.gpu_memory_mb):
            raise ValueError(
                "memory_mb and gpu_memory_mb belong together: set both, as `synfiqa calibrate` prints them"
            )
        return self


class ResilienceSection(Section):
    """Limits of retries, waits and dead rows, and the time after which a silent driver loses the run."""

    max_attempts: int = Field(
        3, ge=1, le=100, description="deaths of a process outside any row until its unit is dead; for a row two suffice"
    )
    max_dead_rate: float = Field(0.02, ge=0, le=1, description="share of dead rows above which the run stops, exit 3")
    retry_budget_s: float = Field(
        300.0, ge=0, le=86400, description="seconds that one storage request is retried through throttling and outages"
    )
    placement_wait_s: float = Field(
        3600.0,
        ge=1,
        le=31 * 86400,
        description="seconds that a stage, or training, waits for a node or GPU to run on until the job ends",
    )
    probe_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="seconds that every other node has to state its libraries, store and disk before work starts; 0: "
        "nodes are not examined",
    )
    stall_s: float = Field(
        7200.0,
        ge=1,
        le=31 * 86400,
        description="seconds without any progress until the job ends: this, or 10 times the longest unit measured so "
        "far if that is more; 12 times this before the first",
    )
    lease_s: float = Field(
        60.0, ge=1, le=3600, description="seconds without a heartbeat after which a driver loses the run"
    )
