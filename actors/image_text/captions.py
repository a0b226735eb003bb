"""Writes captions of recipes for the image-text role; holds the fixed caption of v_l."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np

from synfiqa.actors.degradation.degrade import draw_kernel
from synfiqa.schemas.recipe import Expression, Light, Pose, Recipe
from synfiqa.schemas.seeds import derive_seed, generator

REFERENCE_CAPTION = (
    "a sharp portrait photo of a person facing the camera with a neutral expression in even light "
    "with nothing covering the face"
)
"""The caption of an ideal reference image; v_l is the cosine between an image and it."""

Wordings = dict[str, tuple[str, ...]]

SHARPNESS: Wordings = {
    "sharp": ("sharp", "crisp", "clear", "detailed"),
    "soft": ("slightly blurry", "rather soft", "slightly out of focus"),
    "blurry": ("very blurry", "badly blurred", "heavily out of focus", "low resolution"),
}
POSE: Wordings = {
    "frontal": ("facing the camera", "seen from the front", "in frontal view"),
    "three-quarter": ("in three-quarter view", "turned partly away", "with the head turned"),
    "profile": ("in profile", "seen from the side", "in side view"),
}
TILT: Wordings = {
    "level": (),
    "up": ("looking up", "with the chin raised"),
    "down": ("looking down", "with the chin lowered"),
}
EXPRESSION: Wordings = {
    "neutral": ("with a neutral expression", "with a relaxed face", "with a calm face"),
    "mouth_open": ("with an open mouth", "with the mouth open"),
    "smile": ("smiling", "with a smile"),
    "brow_raise": ("with raised brows", "looking surprised"),
    "frown": ("frowning", "with a frown"),
    "pucker": ("with pursed lips", "puckering the lips"),
    "inner_brow_raise": ("looking worried", "with the inner brows raised"),
    "squint": ("squinting", "with narrowed eyes"),
    "nose_wrinkle": ("wrinkling the nose", "with a wrinkled nose"),
    "corners_down": ("looking sad", "with the mouth corners down"),
    "lips_pressed": ("with pressed lips", "pressing the lips together"),
    "eyes_closed": ("with closed eyes", "with the eyes shut"),
}
LIGHT: Wordings = {
    "even": ("in even light", "in soft even light", "evenly lit"),
    "uneven": ("in slightly uneven light", "softly lit from one side"),
    "harsh": ("in harsh light", "with hard shadows", "lit from one side"),
    "back": ("against the light", "lit from behind"),
    "dark": ("in the dark", "underexposed", "in very little light"),
    "bright": ("overexposed", "in glaring light"),
}
OCCLUSION: Wordings = {
    "none": ("with nothing covering the face", "with the face fully visible", "with an uncovered face"),
    "glasses": ("wearing glasses", "with eyeglasses on"),
    "sunglasses": ("wearing sunglasses", "with sunglasses covering the eyes"),
    "mask": ("wearing a mask", "with a mask covering the mouth"),
    "scarf": ("wearing a scarf", "with a scarf covering the chin"),
    "hand": ("with a hand covering the face", "behind a raised hand"),
    "hat": ("wearing a hat", "with a hat over the forehead"),
    "hair": ("with hair over the eyes", "with strands covering the face"),
    "object": ("behind a held object", "with an object before the face"),
}
COLOUR: Wordings = {"natural": (), "tinted": ("with a colour cast", "in coloured light")}
GRAIN: Wordings = {"clean": (), "noisy": ("full of sensor noise", "with strong grain")}
FILE: Wordings = {"fine": (), "coarse": ("badly compressed", "with compression blocks")}
FRAMING: Wordings = {"upright": (), "turned": ("badly aligned", "rotated in the frame")}
LENS: Wordings = {"usual": (), "near": ("taken too close", "distorted by a near lens")}
BACKGROUND: Wordings = {
    "plain": ("on a plain background",),
    "gradient": ("on a smooth background",),
    "blurred": ("on a blurred background",),
    "cluttered": ("on a cluttered background",),
}
OPENINGS = ("a portrait photo of a person", "a photo of a person", "a portrait of a person", "an image of a face")
WORDINGS: dict[str, Wordings] = {
    "sharpness": SHARPNESS,
    "pose": POSE,
    "tilt": TILT,
    "expression": EXPRESSION,
    "light": LIGHT,
    "occlusion": OCCLUSION,
    "background": BACKGROUND,
    "colour": COLOUR,
    "grain": GRAIN,
    "file": FILE,
    "framing": FRAMING,
    "lens": LENS,
}
"""Factor -> class -> phrases."""

SOFT_FROM, BLURRY_FROM = 0.8, 1.8
THREE_QUARTER_FROM, PROFILE_FROM, TILT_FROM = 20.0, 55.0, 15.0
NEUTRAL_BELOW = 0.25
UNEVEN_FROM, HARSH_FROM, DARK_BELOW, BRIGHT_FROM = 0.25, 0.45, 0.65, 1.4
BEHIND_FROM = 115.0  # degrees between the key light and the camera
TINTED_FROM, NOISY_FROM, COARSE_BELOW, TURNED_FROM, NEAR_BELOW = 0.3, 9.0, 25, 10.0, 2.2


@dataclass(frozen=True)
class Attributes:
    """The class of each factor that a caption may mention; fields are keys of `WORDINGS`."""

    sharpness: str
    pose: str
    tilt: str
    expression: str
    light: str
    occlusion: str
    background: str
    colour: str
    grain: str
    file: str
    framing: str
    lens: str


FACTORS = tuple(field.name for field in fields(Attributes))


def softness(recipe: Recipe) -> float:
    """Return the standard deviation, in pixels of the aligned face, of a Gaussian blur with an equal loss of detail.

    The blur level only bounds the kernel's width, so the kernel itself is drawn again from the recipe's seed: a caption
    must describe the visible blur.
    """
    if recipe.kind == "reference":
        return 0.0
    # A straight line of length m has the variance m^2 / 12 along itself and none across.
    variance = (recipe.downsample**2 - 1) / 4 + recipe.motion**2 / 24
    if recipe.blur > 1:
        rng = generator(derive_seed(recipe.seed, "degrade"))
        kernel = draw_kernel(rng, recipe.downsample, recipe.blur, recipe.profile)
        variance += (kernel.lambda1 + kernel.lambda2) / 2
    return float(np.sqrt(variance))


def attributes(recipe: Recipe) -> Attributes:
    """Classify every factor of a recipe, by the classes that captions name."""
    lost = softness(recipe)
    return Attributes(
        sharpness="sharp" if lost < SOFT_FROM else "soft" if lost < BLURRY_FROM else "blurry",
        pose=_pose(recipe.pose),
        tilt="level" if abs(recipe.pose.pitch) < TILT_FROM else "up" if recipe.pose.pitch > 0 else "down",
        expression=_expression(recipe.expression),
        light=_light(recipe.light),
        occlusion=recipe.occluder,
        background=recipe.background,
        colour="tinted" if recipe.light.cast >= TINTED_FROM else "natural",
        grain="noisy" if recipe.noise >= NOISY_FROM else "clean",
        file="coarse" if recipe.jpeg_quality < COARSE_BELOW else "fine",
        framing="turned" if abs(recipe.misalignment) >= TURNED_FROM else "upright",
        lens="near" if recipe.camera_distance < NEAR_BELOW else "usual",
    )


def caption(recipe: Recipe, rng: np.random.Generator, mention: Collection[str] = FACTORS) -> str:
    """Return a caption of the recipe in randomly chosen words and order.

    `mention` limits which of `FACTORS` appear. Occlusion always does, present or not, because captions without it
    would train the model to embed covered and free faces alike.
    """
    described = attributes(recipe)
    sharp = _choose(SHARPNESS[described.sharpness], rng)
    clauses = [
        _choose(WORDINGS[factor][getattr(described, factor)], rng)
        for factor in FACTORS
        if factor != "sharpness" and (factor in mention or factor == "occlusion")
    ]
    mentioned = [clause for clause in clauses if clause]
    rng.shuffle(mentioned)
    opening = _choose(OPENINGS, rng)
    if "sharpness" in mention:
        article, rest = opening.split(" ", 1)
        article = "an" if sharp[0] in "aeiou" else "a"
        opening = f"{article} {sharp.removeprefix('a ')} {rest}" if sharp != "rather soft" else f"{opening}, {sharp}"
    return f"{opening} " + ", ".join(mentioned)


def vocabulary() -> list[str]:
    """Return every word that a caption can hold, sorted."""
    phrases = [phrase for classes in WORDINGS.values() for wordings in classes.values() for phrase in wordings]
    return sorted(set(" ".join([*phrases, *OPENINGS, REFERENCE_CAPTION]).replace("-", " ").split()))


def _choose(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))] if options else ""


def _pose(pose: Pose) -> str:
    turned = abs(pose.yaw)
    if turned < THREE_QUARTER_FROM:
        return "frontal"
    return "three-quarter" if turned < PROFILE_FROM else "profile"


def _expression(expression: Expression) -> str:
    units = expression.model_dump()
    strongest = max(units, key=lambda unit: units[unit])
    return strongest if units[strongest] >= NEUTRAL_BELOW else "neutral"


def _light(light: Light) -> str:
    if light.exposure < DARK_BELOW:
        return "dark"
    if light.exposure > BRIGHT_FROM:
        return "bright"
    uneven = unevenness(light)
    if uneven < HARSH_FROM:
        return "even" if uneven < UNEVEN_FROM else "uneven"
    return "back" if _frontality(light) < np.cos(np.radians(BEHIND_FROM)) else "harsh"


def unevenness(light: Light) -> float:
    """Return the visible harshness 0..1 of a light: all of it from the side and behind, none from the camera.

    Shadows of a hard flash beside the lens are hidden from the lens.
    """
    return float(light.harshness * np.sqrt(1 - max(0.0, _frontality(light)) ** 2))


def _frontality(light: Light) -> float:
    """Return the cosine between the directions of the key light and of the camera."""
    return float(np.cos(np.radians(light.azimuth)) * np.cos(np.radians(light.elevation)))
