"""Config sections of training data: sources of faces, and random changes of them."""

from typing import Literal

from pydantic import Field, model_validator

from synfiqa.schemas.config.base import Interval, Name, Rate, Section


class AugmentSection(Section):
    """Random changes of training faces; limits hold either way, and 0 switches a change off.

    With the defaults a face keeps a mean cosine of 0.99 to itself and a 5th percentile of 0.97 by `bundled-b`, apart
    from the mirror image, so that its quality label stays true.
    """

    mirror: Rate = Field(0.5, description="share of faces that are mirrored left to right")
    geometry: Rate = Field(
        0.3, description="share of faces that are turned, scaled and shifted; the others keep all their detail"
    )
    degrees: float = Field(2.0, ge=0, le=45, description="largest turn in degrees")
    scale: float = Field(0.02, ge=0, le=0.5, description="largest change of size, as a share of it")
    shift: float = Field(0.5, ge=0, le=28, description="largest shift in pixels of 112, along x and along y")
    gamma: float = Field(0.25, ge=0, le=2, description="largest |ln gamma| of the tone curve 255 (v / 255)^gamma")
    contrast: float = Field(
        0.15, ge=0, le=0.9, description="largest change of the distances to the mean of the image, as a share of them"
    )
    gain: float = Field(0.0, ge=0, le=0.9, description="largest change of all grey values, as a share of them")
    black_lift: float = Field(
        0.0, ge=0, le=127, description="largest grey level that black is lifted to; white stays white"
    )
    saturation: float = Field(
        0.2, ge=0, le=1, description="largest change of the distances to grey, as a share of them; RGB only"
    )
    white_balance: float = Field(
        0.05, ge=0, le=0.5, description="largest change of the gains of red and of blue, as a share; RGB only"
    )
    exposure: Interval = Field(
        (0.0, 0.0), description="least and largest natural logarithm of a further factor of all grey values"
    )
    colour: Interval = Field(
        (1.0, 1.0), description="least and largest factor of the distances to grey, beside saturation; RGB only"
    )
    grey: Rate = Field(0.0, description="share of faces that lose all colour; RGB only")
    texture: float = Field(
        3.0, ge=0, le=64, description="largest standard deviation, in grey levels, of an added pattern of 6 x 6 cells"
    )
    cutout: Rate = Field(0.0, description="share of faces with a square filled with their mean")
    cutout_side: int = Field(28, ge=1, le=112, description="largest side of that square in pixels of 112")
    blur: Rate = Field(0.0, description="share of faces that are blurred")
    blur_sigma: float = Field(1.0, gt=0, le=8, description="largest standard deviation of that blur in pixels of 112")

    @model_validator(mode="after")
    def _check(self) -> "AugmentSection":
        for name, least, most in (("exposure", -4.0, 4.0), ("colour", 0.0, 4.0)):
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"augment.{name} must rise within {least:g} to {most:g}, not {low:g} to {high:g}")
        return self


class SourceSection(Section):
    """Aligned faces of 112 x 112 pixels that are trained on beside, or instead of, those of a run."""

    name: Name = Field(description="name of the source, for messages and records")
    url: str = Field(
        min_length=1,
        description="folder of the images, or of the Parquet or RecordIO files: a local path or an fsspec URL",
    )
    format: Literal["folder", "parquet", "recordio"] = Field(
        "folder",
        description="folder: one subfolder a person; parquet: columns image, identity and, optionally, quality; "
        "recordio: train.rec and train.idx of InsightFace",
    )
    weight: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="passes through the source per epoch; a fraction takes other parts of it each epoch",
    )
    scores: str = Field(
        "", description="CSV with columns path and score, the quality labels of the images; empty: those of the source"
    )
