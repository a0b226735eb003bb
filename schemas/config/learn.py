"""Config sections of label and evaluation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from synfiqa.schemas.config.base import Name, ScorerName, Section

Spatial = Literal["ranks", "costs"]
Form = Literal["fusion", "centred", "relative"]
Percentile = Annotated[float, Field(ge=0, le=100)]
Ends = tuple[Percentile, Percentile]
"""Percentiles of raw labels that become label 0 and label 1."""


class LabelSection(Section):
    """How labels are made; by default m = (f_r + lambda * s_d) / (1 - kappa * v_l) of raw components, as in MR-FIQA."""

    name: Name = Field("default", description="name of the labels, stored in labels/NAME")
    source: Literal["components", "scorer"] = Field(
        "components",
        description="components: the fusion of f_r, s_d and v_l; scorer: the scores of label.scorer, and only name, "
        "scorer and calibration of this section count",
    )
    scorer: ScorerName | Literal[""] = Field(
        "",
        description="quality scorer whose scores are the labels, by name or as the path of a .froq.json; one that "
        "reads an embedder reads models.embedder",
    )
    form: Form = Field(
        "fusion",
        description="fusion: that of f_r, s_d and v_l; centred: the mean cosine by label.embedder to the person's "
        "references and fault-free pictures once the mean vector of all references is subtracted; relative: that "
        "cosine as a share of those of the person's own fault-free pictures; for both only name, embedder and "
        "calibration of this section count",
    )
    spatial: Spatial = Field(
        "ranks",
        description="s_d: the smallest of three shares of ranks, as published, or 1 minus the costs of all factors",
    )
    spatial_weight: float = Field(0.5, ge=0, le=10, description="lambda of the fusion, the weight of s_d")
    vision_language_weight: float = Field(
        1.0, ge=0, le=1, description="kappa of the fusion, the weight of v_l; 1 as published"
    )
    match_threshold: Annotated[float, Field(gt=-1, lt=1)] | Literal["auto"] | None = Field(
        None,
        description="cosine above which the embedder of f_r accepts two faces as one person: f_r enters the fusion as "
        "the probability of a match, 1 / (1 + exp((threshold - f_r) / width)); auto: the threshold of the frozen "
        "calibration or else of the embedder's card; null: f_r enters as the cosine, as published",
    )
    match_width: float = Field(
        0.08, ge=0.001, le=1, description="difference of cosine over which that probability rises from 1/2 to 0.73"
    )
    ends: Ends | None = Field(
        None,
        description="two percentiles of the raw labels that become 0 and 1, what lies outside being clipped; one "
        "outlier moves none such as [0.5, 99.5]; null: the least and the largest raw label, as published",
    )
    embedder: Name | Literal[""] = Field(
        "",
        description="one of models.more_embedders whose f_r the label takes, of form centred or relative any embedder, "
        "such as dlib; empty: models.embedder",
    )
    calibration: str = Field("", description="URL of a frozen calibration.json; empty fits one on this run")

    @model_validator(mode="after")
    def _check(self) -> "LabelSection":
        if (self.source == "scorer") != bool(self.scorer):
            raise ValueError(
                "source: scorer needs label.scorer, the name of a quality scorer, and label.scorer needs source: scorer"
            )
        if self.ends is not None and not self.ends[0] < self.ends[1]:
            raise ValueError(f"ends must rise, such as [0.5, 99.5], not {list(self.ends)}")
        if self.source == "scorer" and self.form != "fusion":
            raise ValueError(f"form {self.form} is of source: components; leave form or source out")
        return self


class EvaluateSection(Section):
    """Error-versus-discard evaluation on held-out identities (Grother and Tabassi 2007; ISO/IEC 29794-1)."""

    fmr: tuple[float, ...] = Field(
        (1e-2, 1e-3), min_length=1, description="target false match rates, each between 0 and 1"
    )
    discard_limit: float = Field(0.3, gt=0, le=0.95, description="R: pAUC integrates over discard fractions 0..R")
    pairs: Literal["probe-reference", "all"] = Field(
        "probe-reference",
        description="degraded probes against clean references, or all pairs of held-out images",
    )
    bootstrap: int = Field(200, ge=0, le=10000, description="identity-level bootstrap resamples; 0 for none")
    scorers: tuple[ScorerName, ...] = Field(
        ("model", "label", "sharpness", "random"),
        description="quality scorers to compare, model among them: label, sharpness, random, norm, mirror, detector, "
        "bundled-quality, those without training (docs/evaluation.md), quality models of the catalogue, scorers of "
        "plug-ins",
    )
    judges: tuple[Name, ...] = Field(
        (),
        description="embedders that verify the pairs, a result each; the first that did not label gives the headline, "
        "and the labelling one alone is refused; empty: models.evaluation_embedder, then the labelling one",
    )

    @model_validator(mode="after")
    def _check(self) -> "EvaluateSection":
        if len(set(self.judges)) != len(self.judges):
            raise ValueError(f"judges must name no embedder twice, not {', '.join(self.judges)}")
        if "model" not in self.scorers or len(set(self.scorers)) != len(self.scorers):
            raise ValueError(f"scorers must name model and no scorer twice, not {', '.join(self.scorers) or 'none'}")
        if any(not 0 < value < 1 for value in self.fmr):
            raise ValueError("each fmr must lie strictly between 0 and 1")
        return self
