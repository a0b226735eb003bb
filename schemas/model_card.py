"""The card of a model: input contract, origin, digest and licence, never implicit."""

import bisect
import itertools
import math
import re
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from synfiqa.schemas.json_values import check_json
from synfiqa.schemas.licence import bars_commercial_use

Role = Literal[
    "detector",
    "pose",
    "glasses",
    "expression",
    "embedder",
    "image_text",
    "quality",
    "identity_generator",
    "conditional_generator",
    "face_model",
    "face_encoder",
    "face_parser",
    "conditional_diffusion",
]
Channels = Literal["rgb", "bgr", "gray"]
Normalise = Literal["range", "per-image", "clip", "imagenet"]

BUILT_IN = "built-in"
"""Source of a model that is code without weights."""
RANDOM = "random:"
"""Source of shape-exact random weights, `random:SEED`: for tests and rehearsals."""
PACKAGE = "package:"
"""Source inside an installed Python package, `package:NAME/FOLDER`."""

PLUGIN = "plugin"
"""Architecture of the cards of plug-ins, whose package holds the code."""

BUNDLED_QUALITY = "bundled-quality"
"""Name of the quality model that ships with the package."""

_GENERATORS = ("identity_generator", "conditional_generator")
"""Roles that take no image: without weights, such a card has no input contract to record."""

_ABSENT = {"learned_from": None, "scale": None, "resized_by": "float"}
"""Fields that a card with these values omits, so that cards of older versions stay as they are."""

_NO_LICENCE = {"", "none", "unknown", "tbd", "todo", "n/a", "?", "-"}


class CardPart(BaseModel):
    """Base: unknown keys are errors, values are immutable once checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StateRules(CardPart):
    """How the keys of a checkpoint become the keys of the network; what is not declared must match exactly."""

    unwrap: tuple[str, ...] = Field((), description="wrapper keys, each opened where present: state_dict, model")
    strip: tuple[str, ...] = Field((), description="prefixes removed from keys, in order, each where present")
    keep: str = Field("", description="only keys with this prefix are taken, and it is removed")
    rename: tuple[tuple[str, str], ...] = Field((), description="(regular expression, replacement), applied in order")
    allow_missing: tuple[str, ...] = Field((), description="shell patterns of buffers the checkpoint may lack")
    allow_unexpected: tuple[str, ...] = Field((), description="shell patterns of checkpoint keys that are not used")

    @field_validator("rename")
    @classmethod
    def _can_be_applied(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for pattern, replacement in value:
            try:
                # The empty alternative matches always, so that the replacement is tried too.
                re.sub(f"{pattern}|", replacement, "")
            except (re.error, IndexError) as error:
                raise ValueError(f"'{pattern}' -> '{replacement}' is no regular expression ({error})") from error
        return value


class LearnedFrom(CardPart):
    """What a quality model was trained on, exact enough to repeat who was held out from it."""

    run_fingerprint: str = Field(description="fingerprint of the run")
    dataset_sha256: str = Field(description="digest of the labelled dataset")
    people_sha256: str = Field(description="digest of seed and identity generator: equal ones may show one person")
    label: str = Field(description="name of the label pass")
    label_sha256: str = Field(description="digest of its label files")
    seed: int = Field(description="`run.seed`, which decides the split")
    validation_fraction: float
    test_fraction: float
    steps: tuple[int, ...] = Field(min_length=1, description="identities of the run at first, and after each growth")
    split_sha256: str = Field(description="digest over `identity split` lines of all labelled identities")


class ScoreScale(CardPart):
    """Where a score lies among those of the samples that a quality model was validated on, and on a scale of 0..100."""

    quantiles: tuple[float, ...] = Field(
        min_length=2, description="scores of the samples at equal steps of rank, from the lowest to the highest"
    )
    midpoint: float = Field(description="score that becomes 50 of 0..100")
    width: float = Field(gt=0, description="of the logistic: midpoint + width becomes 73.1, midpoint - width 26.9")
    samples: int = Field(gt=1, description="number of the samples")
    origin: str = Field(description="which samples they are, and who scored them")

    @field_validator("quantiles")
    @classmethod
    def _rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(after < before for before, after in itertools.pairwise(value)):
            raise ValueError("quantiles must not fall: list the scores from the lowest to the highest")
        return value

    def percentile(self, score: float) -> float:
        """Return the share of the samples that score lower, in percent (0..100), linear between the quantiles.

        A score that several quantiles share has the middle of their ranks.
        """
        first, last = bisect.bisect_left(self.quantiles, score), bisect.bisect_right(self.quantiles, score)
        steps = len(self.quantiles) - 1
        if first < last:
            return 100 * (first + last - 1) / 2 / steps
        if first in (0, len(self.quantiles)):
            return 100.0 if first else 0.0
        low, high = self.quantiles[first - 1], self.quantiles[first]
        return 100 * (first - 1 + (score - low) / (high - low)) / steps

    def scalar(self, score: float) -> float:
        """Return 100 / (1 + exp((midpoint - score) / width)): 0..100, rising with the score."""
        distance = (self.midpoint - score) / self.width
        # math.exp overflows beyond 709; the result is 0 long before.
        return 100 / (1 + math.exp(min(distance, 700.0)))


class ModelCard(CardPart):
    """Input contract, output, origin and licence of one model: an entry of `models.yaml`, or a file beside weights."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    role: Role
    architecture: str = Field(description="key of actors.model_store.architectures.table.ARCHITECTURES, or plugin")
    arguments: dict = Field(default_factory=dict)
    source: str = Field(
        "", description="path or fsspec URL of a file or folder; built-in, random:SEED, package:...; empty: beside card"
    )
    sha256: str = Field("", description="of the weights file, or over all files of a folder")
    input_size: int = Field(gt=0, description="side of the square input, pixels; the longest side for a detector")
    channels: Channels
    value_range: tuple[float, float] | None = Field(description="of the input; None when standardised per image")
    normalise: Normalise = "range"
    resize: Literal["bilinear", "bicubic"] = Field("bilinear", description="how images of other sizes are brought in")
    resized_by: Literal["float", "pillow"] = Field(
        "float",
        description="arithmetic of the resizing: float32 throughout, or Pillow's, which rounds to uint8 after each of "
        "its two passes as published preprocessings do",
    )
    output: str = Field(description="what comes out, with shape and range")
    higher_is_better: bool | None = None
    match_cosine: float | None = Field(
        None,
        gt=-1,
        lt=1,
        description="of an embedder: cosine from which it takes one reference and one degraded face for one person, at "
        "about FMR 1e-3; `label.match_threshold: auto` is this",
    )
    licence: str = Field(min_length=1)
    commercial_use: bool
    trained_on: str = ""
    command: str = Field("", description="what reproduces the weights")
    cost_gflop: float | None = Field(None, ge=0, description="per image, a multiply-add counts 2")
    state: StateRules | None = Field(None, description="None: the rules of the architecture's published checkpoint")
    canary: tuple[float, ...] = Field(
        (), description="first outputs on the canary image, as `models check` measured them"
    )
    metrics: dict[str, float] = Field(default_factory=dict)
    learned_from: LearnedFrom | None = Field(
        None, description="of a quality model that `synfiqa train` made: the run and split; absent on other cards"
    )

    scale: ScoreScale | None = Field(
        None, description="of a quality model: percentile and 0..100 of its scores; absent on other cards"
    )

    @model_serializer(mode="wrap")
    def _without_absent_record(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = whole(self)
        return {key: value for key, value in fields.items() if key not in _ABSENT or value != _ABSENT[key]}

    @property
    def in_recipe(self) -> bool:
        """Return whether a run records the card: generators that are code enter as config and RECIPE_VERSION alone."""
        return not (self.source == BUILT_IN and self.role in _GENERATORS)

    @field_validator("arguments")
    @classmethod
    def _are_recorded_as_json(cls, value: dict) -> dict:
        check_json(value, "arguments")
        return value

    @field_validator("licence")
    @classmethod
    def _names_a_licence(cls, value: str) -> str:
        if value.strip().lower() in _NO_LICENCE or not value.isprintable():
            raise ValueError(
                "name the licence that the weights came with, such as MIT or 'none stated; data CC BY-NC-SA 4.0'"
            )
        return value

    @model_validator(mode="after")
    def _agrees(self) -> "ModelCard":
        if self.commercial_use and bars_commercial_use(self.licence):
            raise ValueError(f"commercial_use is true but the licence is '{self.licence}': set it to false")
        if self.scale is not None and self.role != "quality":
            raise ValueError(f"scale is for quality models, not for the role {self.role}: leave it out")
        if self.match_cosine is not None and self.role != "embedder":
            raise ValueError(f"match_cosine is for embedders, not for the role {self.role}: leave it out")
        unweighed = self.source == BUILT_IN or self.source.startswith(RANDOM)
        if not unweighed and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(
                f"sha256 must be 64 hex digits, not {self.sha256!r}: `synfiqa models digest PATH` prints it"
                if self.sha256
                else "sha256 is missing: it identifies the weights of a run, `synfiqa models digest PATH` prints it"
            )
        if self.normalise == "range" and self.value_range is None and self.source != BUILT_IN:
            raise ValueError("value_range is needed when normalise is range, for example [-1, 1]")
        if self.normalise == "per-image" and self.channels != "gray":
            raise ValueError("normalise per-image is for channels gray; use range, clip or imagenet for colour")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise ValueError(f"value_range must rise, not {list(self.value_range)}")
        return self


FACE_EMBEDDING = 512
"""Length of the face embedding (FaceNet's) that conditions the control branch."""
