"""`calibration.json`: how raw components became labels, exact enough to label new data on the same scale."""

from pydantic import Field

from schemas.manifest import DataFile, Record
from schemas.rows import SCHEMA_VERSION


class RankTable(Record):
    """Distinct values of one column, ascending, with the average rank (1..N) that each has among the N samples."""

    values: list[float]
    ranks: list[float]


class Scale(Record):
    """The global part of a label: everything that one sample's label needs to know about all the others."""

    samples: int = Field(ge=1, description="N, degraded samples that the scale was fitted on")
    spatial_weight: float = Field(description="lambda of the fusion")
    yaw: RankTable = Field(description="|yaw| in degrees")
    downsample: RankTable
    blur: RankTable
    raw: RankTable = Field(description="m, before min-max; decides the decile group")
    raw_min: float
    raw_max: float


class Calibration(Record):
    """The commit of a label pass, written last: its labels exist if and only if this object exists."""

    schema_version: int = SCHEMA_VERSION
    name: str
    fingerprint: str = Field(description="recipe of the labelled run")
    dataset_sha256: str = Field(description="digest of all committed content that was labelled")
    embedder: str = Field("", description="whose f_r the labels take; empty in passes of older versions")
    image_text: str = Field("", description="what measured v_l; empty in passes of older versions")
    frozen_from: str = Field(description="SHA-256 of the scale when it came from another pass; empty when fitted here")
    samples: int = Field(description="degraded samples labelled")
    clipped: int = Field(description="samples outside a frozen scale, set to 0 or 1")
    scale: Scale
    parts: list[DataFile] = Field(description="label files in shard order")
