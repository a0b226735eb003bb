"""Config sections of generation: recipe, diffusion, filter."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from synfiqa.schemas.config.base import GrownSection, Interval, Rate, Section, Weight, within
from synfiqa.schemas.config.camera_config import CameraSection
from synfiqa.schemas.config.people import PRESETS, PeopleSection
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.camera_rows import CAMERA
from synfiqa.schemas.factors.capture import DISTANCE
from synfiqa.schemas.factors.light import EXPOSURE
from synfiqa.schemas.recipe import Occluder, Profile

DARK_BELOW, BRIGHT_FROM = EXPOSURE.thresholds["dark"], EXPOSURE.thresholds["bright"]
"""Exposure gains below and from which an image counts as badly exposed; other recipes stay between them."""

CAMERA_PORTRAIT = 128
"""Smallest side in pixels of a portrait that `profile: camera` takes a photograph of."""

NEAR_BELOW = DISTANCE.thresholds["near"]
"""Camera distance in head heights below which perspective distortion counts."""


_LIMITS = {row.fault.interval: row.fault.limits for row in FACTORS if row.fault}


class DegradedSection(GrownSection):
    """Distribution of the factors of degraded samples; angles in degrees, rates and strengths in 0..1.

    From `motion_rate` on: faults of the camera and of the aligner, which only the profile `corrected` draws. A rate is
    the share of samples that show the fault; its strength is log-uniform in the range, so that severe ones are rare.
    """

    added: ClassVar[tuple[str, ...]] = ("occluders",)

    yaw_std: float = Field(28.0, ge=0, le=90, description="standard deviation of yaw around frontal, degrees")
    pitch_std: float = Field(10.0, ge=0, le=45, description="standard deviation of pitch around frontal, degrees")
    roll_std: float = Field(7.0, ge=0, le=90, description="standard deviation of roll around upright, degrees")
    expression_rate: float = Field(0.4, ge=0, le=1, description="share that shows an expression")
    harsh_light_rate: float = Field(0.3, ge=0, le=1, description="share in harsh light, with hard shadows")
    occluder_rate: float = Field(0.3, ge=0, le=1, description="share with an object in front of the face")
    scale_intervals: tuple[Interval, ...] = Field(
        ((0.82, 1.6), (1.6, 2.5), (2.5, 4.0), (4.0, 8.0)),
        description="intervals that the down-sampling factor s and the blur level b are drawn from, clamped to >= 1",
    )
    scale_weights: tuple[float, ...] = Field(
        (0.80, 0.10, 0.08, 0.02), description="probability of each interval; the published values"
    )
    jpeg_quality: tuple[int, int] = Field((75, 75), description="inclusive range of JPEG quality, within 1..100")
    motion_rate: Rate = Field(0.12, description="share blurred by motion of the camera")
    motion: Interval = Field(
        (2.0, 30.0), description="length of a straight shake in pixels of the crop, within 0.1..30"
    )
    noise_rate: Rate = Field(0.2, description="share with sensor noise")
    noise: Interval = Field(
        (3.0, 45.0), description="sensor noise, standard deviation in grey levels at mid-grey, within 0.1..80"
    )
    exposure_rate: Rate = Field(0.15, description="share that is too dark or too bright")
    exposure: Interval = Field(
        (0.05, 4.0),
        description="gains in 0.001..16; half are too dark, from 0.5 down to the first, half too bright, from 1.6 up",
    )
    cast_rate: Rate = Field(0.12, description="share with a colour cast")
    cast: Interval = Field(
        (0.15, 1.0), description="strength of a coloured light or wrong white balance, within 0.01..1"
    )
    jpeg_rate: Rate = Field(
        0.25, description="share that is stored with a quality of coarse_jpeg instead of jpeg_quality"
    )
    coarse_jpeg: tuple[int, int] = Field(
        (4, 60), description="inclusive range of JPEG quality of that share, within 1..100"
    )
    misalignment_rate: Rate = Field(0.12, description="share that the aligner leaves rotated")
    misalignment: Interval = Field(
        (4.0, 90.0), description="degrees of rotation left in the crop by the aligner, within 0.1..90"
    )
    near_camera_rate: Rate = Field(0.15, description="share taken by a camera too near to the face")
    near_camera: Interval = Field(
        (1.3, NEAR_BELOW), description="distance of a near camera in head heights, within 1.2..100; others 4 to 10"
    )
    occluders: dict[Occluder, Weight] = Field(
        {},
        description="relative frequency of each kind of occluder; empty: glasses, sunglasses, mask, scarf, hand, hat, "
        "hair and object equally often",
    )

    @field_validator("occluders")
    @classmethod
    def _some_occluder(cls, weights: dict[Occluder, float]) -> dict[Occluder, float]:
        if "none" in weights:
            raise ValueError("none is no occluder: set occluder_rate instead")
        if weights and not any(weights.values()):
            raise ValueError("at least one weight must be above 0")
        return weights

    @field_validator(*_LIMITS)
    @classmethod
    def _in_order(cls, interval: Interval, info: ValidationInfo) -> Interval:
        low, high = within(interval, *_LIMITS[str(info.field_name)])
        if info.field_name == "exposure" and not (low <= DARK_BELOW and high >= BRIGHT_FROM):
            raise ValueError(f"it must reach from a low of at most {DARK_BELOW} to a high of at least {BRIGHT_FROM}")
        return interval

    @model_validator(mode="after")
    def _check(self) -> "DegradedSection":
        if len(self.scale_intervals) != len(self.scale_weights):
            raise ValueError("scale_intervals and scale_weights must have the same length")
        if abs(sum(self.scale_weights) - 1) > 1e-6 or min(self.scale_weights) < 0:
            raise ValueError(f"scale_weights must be >= 0 and sum to 1, not {sum(self.scale_weights):g}")
        if any(not 0 < low <= high <= 8 for low, high in self.scale_intervals):
            raise ValueError("each of scale_intervals must satisfy 0 < low <= high <= 8")
        low, high = self.jpeg_quality
        if not 1 <= low <= high <= 100:
            raise ValueError("jpeg_quality must satisfy 1 <= low <= high <= 100")
        return self


class PluginFactor(Section):
    """How degraded samples draw a factor of a plug-in; the others, and references, have its neutral value."""

    rate: Rate = Field(description="share of degraded samples that show it")
    interval: Interval = Field(
        description="strengths: log-uniform where the least is above 0, else uniform; within the range of its row"
    )

    @field_validator("interval")
    @classmethod
    def _in_order(cls, interval: Interval) -> Interval:
        if not interval[0] <= interval[1]:
            raise ValueError("it must satisfy low <= high")
        return interval


FactorName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


SkinTones = tuple[Weight, ...]


class GenerateSection(Section):
    """Numbers of identities, candidates and samples, and how they are packed into units and shards."""

    identities: int = Field(64, ge=1, description="accepted identities wanted")
    max_candidates: int = Field(0, ge=0, description="most candidates until the run ends; 0 means 20 per identity")
    candidates_per_unit: int = Field(16, ge=1, le=4096, description="candidates in one unit of work")
    identities_per_shard: int = Field(8, ge=1, le=4096, description="identities whose samples share one shard")
    references: int = Field(4, ge=2, le=100, description="reference images per identity (R)")
    degraded: int = Field(20, ge=1, le=1000, description="degraded samples per identity (D)")
    portrait_size: int = Field(
        128, ge=64, le=1024, description="side of a rendered portrait in pixels; of profile camera >= 128"
    )
    skin_tones: SkinTones = Field(
        (1.0,) * 10,
        min_length=10,
        max_length=10,
        description="relative frequency of the ten tones of the Monk scale among rendered candidates, lightest first",
    )
    people: PeopleSection = PeopleSection()
    micro_batch: int = Field(8, ge=1, le=1024, description="images per model call; part of the recipe")
    profile: Profile = Field(
        "corrected",
        description="faults on the crop: corrected, or as released (faithful); or those of a camera on a photograph",
    )
    degraded_distribution: DegradedSection = DegradedSection()
    camera: CameraSection = CameraSection()
    factors: dict[FactorName, PluginFactor] = Field(
        {}, description="factors of installed plug-ins (entry points synfiqa.factors) by name, each with its draw"
    )

    @field_validator("people", mode="before")
    @classmethod
    def _ready_made(cls, people: Any) -> Any:
        if isinstance(people, str):
            if people not in PRESETS:
                raise ValueError(f"it must be one of {', '.join(PRESETS)} or a section with keys, not {people}")
            return PRESETS[people]
        return people

    @field_validator("skin_tones")
    @classmethod
    def _some_tone(cls, weights: SkinTones) -> SkinTones:
        if not any(weights):
            raise ValueError("at least one weight must be above 0")
        return weights

    @model_validator(mode="after")
    def _camera_of_its_profile(self) -> "GenerateSection":
        if self.camera != CameraSection() and self.profile != "camera":
            raise ValueError(
                f"camera is set but profile is {self.profile}, which takes no photographs: set profile to camera, or "
                "take camera out"
            )
        if self.profile == "camera" and self.portrait_size < CAMERA_PORTRAIT:
            raise ValueError(
                f"portrait_size is {self.portrait_size}, too few pixels for a photograph (profile camera): set it to "
                f"{CAMERA_PORTRAIT} or more, better 192, from which on clean faces are not enlarged"
            )
        return self

    @property
    def shots(self) -> CameraSection | None:
        """Return how photographs are taken; None for profiles without."""
        return self.camera if self.profile == "camera" else None

    @property
    def added_factors(self) -> tuple[str, ...]:
        """Return the names of the factors that samples have beside those of the table: of plug-ins, and `CAMERA`."""
        return (*sorted(self.factors), *((CAMERA,) if self.shots is not None else ()))

    @property
    def candidate_limit(self) -> int:
        """Largest number of candidates made before the run ends."""
        return self.max_candidates or 20 * self.identities


class DiffusionSection(Section):
    """Settings of the conditional generator `diffusion`; `generate.profile` selects its details.

    An image without a face, of another person or with values that are not finite is generated again from a new seed.
    """

    templates: str = Field("", description="file of a template bank; empty: drawn from generate.degraded_distribution")
    tries: int = Field(
        3, ge=1, le=100, description="images generated for one sample until it is rejected with its reason"
    )
    min_identity: float = Field(
        -1.0, ge=-1, le=1, description="cosine to the identity below which an image counts as another person; -1: never"
    )
    renderer: Literal["torch", "pytorch3d"] = Field(
        "torch", description="rasteriser of control maps: ours or PyTorch3D's, equal but for rounding; bytes differ"
    )


class FilterSection(Section):
    """Thresholds a candidate must meet to become an identity; a rejection keeps its reason and measured value."""

    profile: Literal["corrected", "faithful"] = Field(
        "corrected", description="faithful: as released, see synfiqa.actors.stages.filter_rules"
    )
    min_detection: float = Field(0.7, ge=0, le=1, description="lowest face probability of the detector")
    max_yaw: float = Field(20.0, gt=0, le=90, description="yaw in degrees from which a face is rejected")
    max_expression: float = Field(0.25, ge=0, le=1, description="strongest expression unit that counts as neutral")
    max_glasses: float = Field(0.5, ge=0, le=1, description="glasses score above which a face wears glasses")
    max_similarity: float = Field(
        0.6,
        ge=-1,
        le=1,
        description="highest cosine to an identity accepted earlier (greedy, candidate order)",
    )
