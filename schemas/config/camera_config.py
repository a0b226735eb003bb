"""Config section `generate.camera`: how photographs of the profile `camera` are composed and spoiled."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from synfiqa.schemas.config.base import Interval, Rate, Section, Weight, within

CameraFault = Literal[
    "patch", "dark", "bright", "blur", "defocus", "shake", "turn", "cut", "resolution", "noise", "gamma", "haze",
    "contrast", "distortion", "second_face", "compression",
]  # fmt: skip
"""Kinds of faults, each with one interval of strengths."""

_USUAL_WEIGHTS: dict[CameraFault, float] = {"compression": 2.0, "dark": 1.5, "bright": 1.5}
_LIMITS: dict[str, tuple[float, float]] = {
    "patch": (0.01, 3),
    "dark": (0.001, 1),
    "bright": (1.3, 16),
    "blur": (0.001, 1),
    "defocus": (0.001, 1),
    "shake": (0.001, 2),
    "turn": (0.1, 180),
    "cut": (0.001, 3),
    "resolution": (2, 200),
    "noise": (0.1, 100),
    "gamma": (0.1, 8),
    "haze": (0.01, 1),
    "contrast": (0.01, 1),
    "distortion": (0.001, 0.5),
    "second_face": (0.1, 1),
    "compression": (1, 100),
    "dark_noise": (0.1, 20),
    "eyes": (10, 150),
    "quality": (1, 100),
    "head": (0.3, 2),
    "grain": (0.1, 100),
}


class CameraSection(Section):
    """Distribution of photographs and of a camera's faults; lengths in e, the eye distance of a frontal face.

    A degraded sample has 0, 1, 2 or 3 kinds of faults, different ones, drawn by their weights; the strength of each is
    log-uniform in its interval. Everything else of it, and references, is an ordinary photograph.
    """

    fault_shares: tuple[Weight, ...] = Field(
        (0.36, 0.40, 0.18, 0.06),
        min_length=1,
        description="share of degraded samples with 0, 1, 2, ... kinds of faults",
    )
    weights: dict[CameraFault, Weight] = Field(
        {},
        description="relative frequency of kinds of faults; where not named 1, but compression 2, dark and bright 1.5",
    )
    patch: Interval = Field((0.25, 1.8), description="side of a flat square before the face, e within 0.01..3")
    dark: Interval = Field((0.015, 0.5), description="gain of under-exposure in linear light, within 0.001..1")
    bright: Interval = Field((1.6, 8.0), description="gain of over-exposure, clipped hard, within 1.3..16")
    blur: Interval = Field((0.015, 0.18), description="sigma of a Gaussian blur, e within 0.001..1")
    defocus: Interval = Field((0.03, 0.35), description="radius of a disc of confusion, e within 0.001..1")
    shake: Interval = Field((0.06, 0.9), description="length of a straight shake, e within 0.001..2")
    turn: Interval = Field((10.0, 95.0), description="turn of the picture to either side, degrees within 0.1..180")
    cut: Interval = Field((0.1, 1.4), description="distance of the picture's edge to the face, e within 0.001..3")
    resolution: Interval = Field((4.0, 22.0), description="e of a small face on the sensor, pixels within 2..200")
    noise: Interval = Field((4.0, 80.0), description="noise at mid-grey, grey levels within 0.1..100")
    gamma: Interval = Field((0.4, 5.0), description="exponent of grey levels, within 0.1..8")
    haze: Interval = Field((0.2, 0.95), description="share of veiling light, within 0.01..1")
    contrast: Interval = Field((0.12, 0.6), description="contrast about mid-grey, within 0.01..1")
    distortion: Interval = Field(
        (0.05, 0.35),
        description="k1 of a barrel, or half as often of a cushion and then at most 0.15; within 0.001..0.5",
    )
    second_face: Interval = Field((0.4, 0.95), description="size of another head beside, within 0.1..1")
    compression: tuple[int, int] = Field((2, 45), description="quality of a coarse file, within 1..100")
    dark_noise: Interval = Field((0.3, 3.0), description="read noise of dark pictures, grey levels within 0.1..20")
    lift_rate: Rate = Field(0.3, description="share of dark pictures whose grey levels are lifted again")
    enlarge_rate: Rate = Field(0.6, description="share of small faces that are enlarged after the first compression")
    white_noise_rate: Rate = Field(0.5, description="share of noise that is white RGB instead of the sensor's")
    head: Interval = Field((0.8, 1.1), description="size of heads in that of a plain portrait, within 0.3..2")
    shift: float = Field(0.7, ge=0, le=2, description="farthest that a face is off the middle along each axis, e")
    eyes: Interval = Field((28.0, 100.0), description="e on the sensor of faces that are not small, pixels in 10..150")
    grain: Interval = Field((0.6, 3.0), description="noise of ordinary photographs, grey levels within 0.1..100")
    quality: tuple[int, int] = Field((70, 96), description="quality of ordinary files, within 1..100")
    codec_weights: tuple[Weight, ...] = Field(
        (0.84, 0.06, 0.1),
        min_length=3,
        max_length=4,
        description="relative frequency of JPEG, JPEG 2000 and WebP, and of AVIF (the video codec AV1) where a fourth "
        "is given",
    )
    twice_rate: Rate = Field(0.2, description="share that is compressed a second time, as JPEG")
    denoise_rate: Rate = Field(0.1, description="share whose noise the camera smooths")
    sharpen_rate: Rate = Field(0.3, description="share that the camera sharpens")

    def weight(self, kind: CameraFault) -> float:
        """Return the relative frequency of a kind of fault."""
        return self.weights.get(kind, _USUAL_WEIGHTS.get(kind, 1.0))

    @property
    def draws_avif(self) -> bool:
        """Whether photographs may be AVIF, which not every Pillow writes."""
        return sum(self.codec_weights[3:]) > 0

    @field_validator(*_LIMITS)
    @classmethod
    def _in_order(cls, interval: Interval, info: ValidationInfo) -> Interval:
        return within(interval, *_LIMITS[str(info.field_name)])

    @model_validator(mode="after")
    def _check(self) -> "CameraSection":
        if abs(sum(self.fault_shares) - 1) > 1e-6:
            raise ValueError(f"fault_shares must sum to 1, not {sum(self.fault_shares):g}")
        if not sum(self.codec_weights):
            raise ValueError("one of codec_weights must be above 0")
        return self
