"""`calibration.json`: the scale of a label pass, exact enough to label new data on the same scale."""

from typing import Annotated

from pydantic import Field

from synfiqa.schemas.config.learn import Ends, Form, Spatial
from synfiqa.schemas.manifest import DataFile, Record
from synfiqa.schemas.rows import SCHEMA_VERSION


class RankTable(Record):
    """Distinct values of one column, ascending, with their average ranks (1..N) among the N samples."""

    values: list[float]
    ranks: list[float]


class FactorCost(Record):
    """Cost of a factor in units of f_r: sum over its knots of weight * max(severity - knot, 0) / top."""

    factor: str = Field(description="one of synfiqa.fiqa_train.labels.severities.FACTORS")
    top: float = Field(gt=0, description="largest severity among the N samples")
    knots: list[float] = Field(description="severities at which the slope changes, ascending from 0")
    weights: list[Annotated[float, Field(ge=0)]] = Field(description="one for each knot")

    @property
    def at_top(self) -> float:
        """Cost of the largest severity."""
        bends = zip(self.knots, self.weights, strict=True)
        return sum(weight * (self.top - knot) / self.top for knot, weight in bends)


class Costs(Record):
    """Linear model of 1 - f_r: a constant plus the costs of all factors."""

    constant: float = Field(description="expected 1 - f_r of a sample without degradation; not part of s_d")
    factors: list[FactorCost] = Field(description="factors with a cost above 0")


class ScorerScale(Record):
    """Quality scorer whose scores are the labels, and the logistic scale of its card where that has one.

    With midpoint and width a label is 1 / (1 + exp((midpoint - score) / width)); without them it is the share
    (rank - 1/2) / N of its score among the N samples of the scale.
    """

    name: str = Field(description="name of the scorer")
    weights: str = Field(description="SHA-256 of the weights that it reads; empty for code alone")
    midpoint: float | None = Field(None, description="score of label 1/2")
    width: float | None = Field(None, gt=0, description="difference of scores over which labels rise from 1/2 to 0.73")

    @property
    def title(self) -> str:
        """Return name and digest for a message."""
        return f"{self.name}, weights {self.weights[:12]}" if self.weights else self.name


class CentredSpace(Record):
    """Vectors of an embedder with the mean vector of a run's references subtracted, in which labels are cosines."""

    embedder: str = Field(description="name of the embedder")
    weights: str = Field(description="SHA-256 of its weights; built-in for code")
    licence: str = Field(description="licence of these weights")
    commercial_use: bool
    relative: bool = Field(False, description="cosines are shares of those of the person's own fault-free pictures")
    references: int = Field(ge=1, description="reference pictures of which the mean is")
    mean: list[float] = Field(min_length=1, description="mean of their unit vectors, seven decimals")
    reference_labels: list[float] = Field(
        default_factory=list,
        description="5th, 50th and 95th percentile of the labels of the references, each against the other pictures of "
        "its person; label files hold degraded samples alone",
    )


class Scale(Record):
    """Parameters of a label pass that depend on all its samples; the label of a sample depends on nothing else."""

    samples: int = Field(ge=1, description="N, degraded samples that the scale was fitted on")
    spatial_weight: float = Field(description="lambda of the fusion")
    vision_language_weight: float = Field(1.0, description="kappa of the fusion; 1 in passes of older versions")
    match_threshold: float | None = Field(
        None, description="f_r is fused as the probability of a match at this threshold; null: as the cosine"
    )
    match_width: float = Field(
        0.08, gt=0, description="difference of cosine over which that probability rises from 1/2 to 0.73"
    )
    ends: Ends | None = Field(
        None, description="percentiles of m that raw_min and raw_max are; null: the least and the largest"
    )
    costs: Costs | None = Field(None, description="s_d is 1 - their sum; null: the smallest of three shares of ranks")
    scorer: ScorerScale | None = Field(
        None, description="scorer of the labels, which then depend on nothing else; null: labels fused from components"
    )
    centred: CentredSpace | None = Field(
        None,
        description="space of label.form centred or relative: m is the mean cosine in it; null: labels fused from "
        "components",
    )
    yaw: RankTable = Field(description="|yaw| in degrees")
    downsample: RankTable
    blur: RankTable
    raw: RankTable = Field(description="m before min-max, the cosine or the score; decides the decile group")
    raw_min: float
    raw_max: float

    @property
    def form(self) -> Form:
        """Form of the labels on this scale, as in `label.form`."""
        if self.centred is None:
            return "fusion"
        return "relative" if self.centred.relative else "centred"

    @property
    def spatial(self) -> Spatial:
        """Kind of s_d on this scale, as in `label.spatial`."""
        return "ranks" if self.costs is None else "costs"


class Calibration(Record):
    """Commit of a label pass, written last: its labels exist if and only if this object exists."""

    schema_version: int = SCHEMA_VERSION
    name: str
    revision: int = Field(0, ge=0, description="how often `label --frozen` has added labels; each is a file of its own")
    fingerprint: str = Field(description="fingerprint of the labelled run")
    dataset_sha256: str = Field(description="digest of all committed content that was labelled")
    embedder: str = Field("", description="embedder of the fused f_r; empty in passes of older versions")
    image_text: str = Field("", description="image-text model of v_l; empty in passes of older versions")
    mirrored: bool = Field(
        False, description="f_r is that of the sum of the embeddings of a face and of its mirror image"
    )
    frozen_from: str = Field(description="SHA-256 of the scale when it came from another pass; empty when fitted here")
    samples: int = Field(description="degraded samples labelled")
    clipped: int = Field(description="samples outside the scale, set to 0 or 1")
    scale: Scale
    parts: list[DataFile] = Field(
        description="label files in shard order; a shard that has grown since has several, each with other samples"
    )
