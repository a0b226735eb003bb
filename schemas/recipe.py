"""The recipe of one image: the commanded value of every factor; it suffices to generate the image again."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic.fields import FieldInfo

Kind = Literal["reference", "degraded"]
Occluder = Literal[
    "none", "glasses", "sunglasses", "mask", "scarf", "hand", "hat", "hair", "object", "glare", "hijab", "hood",
    "headphones",
]  # fmt: skip
Background = Literal["plain", "gradient", "blurred", "cluttered"]
Profile = Literal["corrected", "faithful"]

REGIONS = ("forehead", "left_eye", "right_eye", "nose", "left_cheek", "right_cheek", "mouth", "chin")
"""Regions of the face whose occluded share is known; left is image-left of a frontal face."""


class Pose(BaseModel):
    """Head rotation in degrees; yaw > 0 turns the nose to image-right, pitch > 0 up, roll > 0 clockwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    yaw: float = Field(0.0, ge=-100, le=100)
    pitch: float = Field(0.0, ge=-60, le=60)
    roll: float = Field(0.0, ge=-180, le=180)


class Expression(BaseModel):
    """Strength of each expression unit, 0 (neutral) to 1 (strong)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mouth_open: float = Field(0.0, ge=0, le=1)
    smile: float = Field(0.0, ge=0, le=1)
    brow_raise: float = Field(0.0, ge=0, le=1)
    frown: float = Field(0.0, ge=0, le=1)
    pucker: float = Field(0.0, ge=0, le=1)
    inner_brow_raise: float = Field(0.0, ge=0, le=1)
    squint: float = Field(0.0, ge=0, le=1)
    nose_wrinkle: float = Field(0.0, ge=0, le=1)
    corners_down: float = Field(0.0, ge=0, le=1)
    lips_pressed: float = Field(0.0, ge=0, le=1)
    eyes_closed: float = Field(0.0, ge=0, le=1)

    @property
    def intensity(self) -> float:
        """Strongest unit, 0..1; 0 is a neutral face."""
        return float(max(getattr(self, unit) for unit in Expression.model_fields))


class Gaze(BaseModel):
    """Direction of gaze relative to the head in degrees; yaw > 0 to image-right, pitch > 0 up."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    yaw: float = Field(0.0, ge=-35, le=35)
    pitch: float = Field(0.0, ge=-25, le=25)


class Light(BaseModel):
    """Key light over ambient light: direction in degrees, harshness 0 (even) to 1 (hard), exposure gain, colour."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    azimuth: float = Field(0.0, ge=-180, le=180, description="degrees, > 0 from image-right, 0 from the camera")
    elevation: float = Field(20.0, ge=-90, le=90, description="degrees above the camera axis")
    harshness: float = Field(0.0, ge=0, le=1)
    exposure: float = Field(1.0, gt=0, le=16, description="linear gain; 1 is a well-exposed portrait")
    temperature: float = Field(0.0, ge=-1, le=1, description="white balance, -1 cold to 1 warm")
    cast: float = Field(
        0.0,
        ge=0,
        le=1,
        description="strength of a coloured key light or of a wrong white balance; the seed selects which, and the hue",
    )


class Recipe(BaseModel):
    """Commanded factors of one image; the seed fixes all others (clothes, backdrop, kernels, noise)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Kind
    seed: int = Field(ge=0, lt=2**63)
    pose: Pose = Pose()
    expression: Expression = Expression()
    gaze: Gaze = Gaze()
    light: Light = Light()
    occluder: Occluder = "none"
    occluder_coverage: float = Field(0.0, ge=0, le=1, description="how far the occluder reaches over its region")
    background: Background = "plain"
    camera_distance: float = Field(
        5.0, ge=1.2, le=100, description="from the middle of the head in head heights of 24 cm; near lenses distort"
    )
    misalignment: float = Field(
        0.0, ge=-90, le=90, description="rotation error of the aligned crop in degrees, > 0 clockwise"
    )
    downsample: float = Field(1.0, ge=1, le=8, description="resolution factor s; 1 leaves the image alone")
    blur: float = Field(1.0, ge=1, le=8, description="blur level b; 1 leaves the image alone")
    motion: float = Field(0.0, ge=0, le=30, description="length of a straight camera shake in pixels of the crop")
    noise: float = Field(0.0, ge=0, le=80, description="sensor noise, sigma in grey levels of the crop at mid-grey")
    jpeg_quality: int = Field(90, ge=1, le=100)
    profile: Profile = "corrected"
    template: str = Field("", description="entry of the template bank that the face is shown under; empty: none")
    prompt: str = Field("", description="text prompt of the diffusion model; empty: none")
    plugins: tuple[tuple[str, float], ...] = Field(
        (), description="value of each factor of installed plug-ins that the config names, by name in order of names"
    )

    @model_serializer(mode="wrap")
    def _without_empty_plugins(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Recipes of runs without plug-ins are written as before there were any.
        fields: dict[str, Any] = handler(self)
        if not self.plugins:
            fields.pop(PLUGINS, None)
        return fields


PLUGINS = "plugins"
"""Part of a recipe that holds the factors of plug-ins."""

PLUGIN_PREFIX = "factor_"
"""Prefix of the columns of plug-ins' factors."""

# Of the columns of each part.
_PREFIX = {"pose": "", "expression": "", "gaze": "gaze_", "light": "light_", PLUGINS: PLUGIN_PREFIX}


def recipe_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield path and definition of every single value of a recipe in its order, such as `light.cast`.

    Factors of plug-ins are not among them: they differ between runs.
    """
    for name, field in Recipe.model_fields.items():
        if name == PLUGINS:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((f"{name}.{part}", inner) for part, inner in field.annotation.model_fields.items())
        else:
            yield name, field


def column_of(path: str) -> str:
    """Return the column of `SAMPLES` that holds the value at a path: `light_cast` of `light.cast`."""
    part, dot, name = path.partition(".")
    return f"{_PREFIX[part]}{name}" if dot else path


def value_at(recipe: Recipe, path: str) -> Any:
    """Return the value of a recipe at a path, such as `light.cast` or `plugins.dust`."""
    part, dot, name = path.partition(".")
    if part == PLUGINS:
        return dict(recipe.plugins)[name]
    value = getattr(recipe, part)
    return getattr(value, name) if dot else value


def with_value(recipe: Recipe, path: str, value: Any) -> Recipe:
    """Return the recipe with one value changed; unlike `model_copy` this validates it."""
    part, dot, name = path.partition(".")
    if part == PLUGINS:
        value = tuple(sorted({**dict(recipe.plugins), name: value}.items()))
    elif dot:
        inner = getattr(recipe, part)
        value = type(inner)(**{**dict(inner), name: value})
    return Recipe(**{**dict(recipe), part: value})
