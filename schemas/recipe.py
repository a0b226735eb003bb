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
Profile = Literal["corrected", "faithful", "camera"]
Codec = Literal["jpeg", "jpeg2000", "webp", "avif"]
Side = Literal["none", "left", "right", "top", "bottom"]

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


class Shot(BaseModel):
    """Photograph and camera of one image (`profile: camera`): applied strengths, drawn by `generate.camera`.

    e is the distance between the eyes that a frontal face of this size has; lengths in e are fractions of it, so that
    they mean the same in render, photograph and crop (where e is 35.2 pixels).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    head: float = Field(1.0, ge=0.3, le=2, description="size of the head in that of a plain portrait")
    shift_x: float = Field(0.0, ge=-3, le=3, description="face off the middle of the photograph in e, > 0 to the right")
    shift_y: float = Field(0.0, ge=-3, le=3, description="face off the middle of the photograph in e, > 0 down")
    turn: float = Field(0.0, ge=-180, le=180, description="turn of the whole picture in degrees, > 0 clockwise")
    cut: float = Field(0.0, ge=0, le=3, description="distance of the picture's edge to the five landmarks in e")
    cut_side: Side = Field("none", description="side at which the picture is cut")
    second_face: float = Field(0.0, ge=0, le=1, description="size of another person's head beside; 0: none")
    second_x: float = Field(0.0, ge=-5, le=5, description="its distance to the side in e, > 0 to the right")
    patch: float = Field(0.0, ge=0, le=3, description="side of a flat square in front of the face in e; 0: none")
    gain: float = Field(1.0, gt=0, le=16, description="gain of exposure in linear light; above 1.3 with hard clipping")
    defocus: float = Field(0.0, ge=0, le=1, description="radius of the disc of confusion in e")
    blur: float = Field(0.0, ge=0, le=1, description="standard deviation of a Gaussian blur in e")
    shake: float = Field(0.0, ge=0, le=2, description="length of a straight shake in e")
    haze: float = Field(0.0, ge=0, le=1, description="share of the light that is veiling light")
    distortion: float = Field(0.0, ge=-0.15, le=0.5, description="k1 at half the frame's side; > 0 barrel, < 0 cushion")
    eyes: float = Field(60.0, ge=2, le=200, description="e on the sensor in pixels")
    noise: float = Field(0.0, ge=0, le=100, description="noise of the sensor's pixels at mid-grey in grey levels")
    noise_kind: Literal["sensor", "white"] = Field(
        "sensor", description="shot and read noise in linear light, or white RGB of equal strength everywhere"
    )
    dark_noise: float = Field(0.0, ge=0, le=20, description="read noise of a dark picture in grey levels of it")
    lift: float = Field(1.0, ge=1, le=16, description="factor by which the grey levels of a dark picture are lifted")
    contrast: float = Field(1.0, ge=0, le=2, description="contrast of grey levels about the middle")
    gamma: float = Field(1.0, gt=0, le=8, description="exponent of grey levels; above 1 darker")
    denoise: float = Field(0.0, ge=0, le=100, description="grey levels below which differences are smoothed")
    sharpen: float = Field(0.0, ge=0, le=5, description="amount of an unsharp mask of one pixel")
    codec: Codec = Field("jpeg", description="codec at the size of the sensor")
    quality: int = Field(92, ge=1, le=100, description="its quality")
    enlarged: float = Field(1.0, ge=1, le=32, description="factor by which the picture is enlarged after it")
    second_codec: Codec = Field("jpeg", description="codec after the enlargement")
    second_quality: int = Field(0, ge=0, le=100, description="its quality; 0: no second compression")


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

    shot: Shot | None = Field(None, description="photograph and camera; only of the profile camera")

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Recipes of runs without plug-ins and camera are written as before there were any.
        fields: dict[str, Any] = handler(self)
        if not self.plugins:
            fields.pop(PLUGINS, None)
        if self.shot is None:
            fields.pop(SHOT, None)
        return fields


PLUGINS = "plugins"
"""Part of a recipe that holds the factors of plug-ins."""

PLUGIN_PREFIX = "factor_"
"""Prefix of the columns of plug-ins' factors."""

SHOT = "shot"
"""Part of a recipe that holds photograph and camera."""

SHOT_PREFIX = "shot_"
"""Prefix of the columns of photograph and camera."""

# Of the columns of each part.
_PREFIX = {
    "pose": "",
    "expression": "",
    "gaze": "gaze_",
    "light": "light_",
    PLUGINS: PLUGIN_PREFIX,
    SHOT: SHOT_PREFIX,
}


def recipe_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield path and definition of every single value of a recipe in its order, such as `light.cast`.

    Factors of plug-ins and the values of `shot_fields` are not among them: they differ between runs.
    """
    for name, field in Recipe.model_fields.items():
        if name in (PLUGINS, SHOT):
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((f"{name}.{part}", inner) for part, inner in field.annotation.model_fields.items())
        else:
            yield name, field


def shot_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield path and definition of every value of photograph and camera, such as `shot.gain`."""
    yield from ((f"{SHOT}.{name}", field) for name, field in Shot.model_fields.items())


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
