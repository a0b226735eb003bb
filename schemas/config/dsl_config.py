"""Config section of DSL-FIQA: portraits, dual-set learning of the degradation encoder, and parts of the network."""

from typing import Literal

from pydantic import Field

from synfiqa.schemas.config.base import Rate, Section


class DslSection(Section):
    """Data, first stage and ablations of `train.method: dsl_fiqa`; each counts for this method alone."""

    folder: str = Field(
        "",
        description="folder in the layout of GFIQA-20k (train/ and val/ with img/, landmark/ and label.json); empty: "
        "the portraits of the run, which needs storage.portraits",
    )
    score: str = Field(
        "gradients", description="score of the run's portraits, as an export in the layout of GFIQA-20k takes it"
    )
    target: Literal["range", "ranks"] = Field(
        "range",
        description="scale of the scores to learn: range, from the lowest to the highest, or ranks, for scores that "
        "crowd at one end, such as gradients",
    )
    redraw: Rate = Field(
        0.0,
        description="share of crops whose portrait is degraded and scored anew in each epoch, where the run holds it "
        "clean and the score is a measure of both (gradients, similarity)",
    )
    unlabelled: str = Field(
        "", description="folder whose train/img is set R, in the same layout; empty: the portraits to learn from"
    )
    flip: Rate = Field(0.7, description="share of crops that are mirrored left to right, with their landmarks")
    encoder_epochs: int = Field(100, ge=0, le=10000, description="epochs of the encoder before those of train.epochs")
    encoder_rate: float = Field(3e-5, gt=0, le=1, description="largest step size of the encoder")
    contrast: Literal["dual_set", "info_nce"] = Field(
        "dual_set",
        description="loss of the encoder: soft proximity mapping between both sets, or plain InfoNCE as released",
    )
    degradations: int = Field(16, ge=2, le=1024, description="m: images of set S, one face under as many draws")
    others: int = Field(16, ge=2, le=1024, description="n: images of set R")
    representation: Literal["tokens", "mean"] = Field(
        "tokens", description="what is compared: all projected tokens in a row, or their mean"
    )
    similarity: Literal["squared_l2", "cosine"] = Field(
        "squared_l2", description="dual_set: minus mean squared difference, or cosine"
    )
    temperature: float = Field(1.0, gt=0, le=100, description="of both softmax functions; info_nce as released: 0.2")
    queue: int = Field(2048, ge=0, le=1_000_000, description="earlier representations of set R that are kept")
    landmarks: Literal["as_built", "indices", "positions", "none"] = Field(
        "as_built",
        description="input of the landmark branch: published numbers, positions, or no branch; as_built: indices "
        "of dsl, positions of dsl-compact",
    )
    queries: Literal["degradation", "image"] = Field(
        "degradation", description="what the decoder reads with; image: the ablation without degradation tokens"
    )
    backbone: str = Field(
        "", description="network dsl: state dict of timm's vit_base_patch16_384 to start from; empty: random weights"
    )
