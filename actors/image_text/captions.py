"""Writes captions of recipes for the image-text role; holds the fixed caption of v_l."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from synfiqa.actors.degradation.degrade import draw_kernel
from synfiqa.schemas.factors import FACTORS as TABLE
from synfiqa.schemas.factors.face import EXPRESSION, PITCH
from synfiqa.schemas.factors.light import EXPOSURE, HARSHNESS
from synfiqa.schemas.recipe import Expression, Light, Pose, Recipe, Shot
from synfiqa.schemas.seeds import derive_seed, generator

REFERENCE_CAPTION = (
    "a sharp portrait photo of a person facing the camera with a neutral expression in even light "
    "with nothing covering the face"
)
"""The caption of an ideal reference image; v_l is the cosine between an image and it."""

Wordings = Mapping[str, tuple[str, ...]]

OPENINGS = ("a portrait photo of a person", "a photo of a person", "a portrait of a person", "an image of a face")
# Random words are drawn in this order, and classes of training are numbered by it; new subjects go to the end.
_SUBJECTS = (
    *("sharpness", "pose", "tilt", "expression", "light", "occlusion", "background"),
    *("colour", "grain", "file", "framing", "lens"),
)
_ROWS = {row.caption.subject: row for row in TABLE if row.caption}
_CAPTIONS = {row.caption.subject: row.caption for row in TABLE if row.caption}
FACTORS = tuple(dict.fromkeys((*_SUBJECTS, *_ROWS)))
"""Subjects that a caption may mention."""
WORDINGS: dict[str, Wordings] = {subject: _CAPTIONS[subject].words for subject in FACTORS}
"""Subject -> class -> phrases."""
OCCLUSION, SHARPNESS = WORDINGS["occlusion"], WORDINGS["sharpness"]

HARSH_FROM = dict(_CAPTIONS["light"].steps)["uneven"]
"""Visible harshness from which light counts as harsh."""

_EYES = 35.2  # between the eyes of an aligned face, pixels

Attributes = Mapping[str, str]
"""The class of each of `FACTORS` in one image."""


def softness(recipe: Recipe) -> float:
    """Return the standard deviation, in pixels of the aligned face, of a Gaussian blur with an equal loss of detail.

    The blur level only bounds the kernel's width, so the kernel itself is drawn again from the recipe's seed: a caption
    must describe the visible blur.
    """
    if recipe.kind == "reference":
        return 0.0
    if recipe.shot is not None:
        return _softness_of_shot(recipe.shot)
    # A straight line of length m has the variance m^2 / 12 along itself and none across.
    variance = (recipe.downsample**2 - 1) / 4 + recipe.motion**2 / 24
    if recipe.blur > 1:
        rng = generator(derive_seed(recipe.seed, "degrade"))
        kernel = draw_kernel(rng, recipe.downsample, recipe.blur, recipe.profile)
        variance += (kernel.lambda1 + kernel.lambda2) / 2
    return float(np.sqrt(variance))


def _softness_of_shot(shot: Shot) -> float:
    """Return the same of a photograph: of defocus, blur and shake, and of a face with fewer pixels than the crop."""
    # A disc of radius r has the variance r^2 / 4 along each axis.
    optics = (shot.blur**2 + shot.defocus**2 / 4 + shot.shake**2 / 24) * _EYES**2
    return float(np.sqrt(optics + max((_EYES / shot.eyes) ** 2 - 1, 0) / 4))


def attributes(recipe: Recipe) -> Attributes:
    """Classify every factor of a recipe, by the classes that captions name."""
    described = {
        "sharpness": _CAPTIONS["sharpness"].classify(softness(recipe)),
        "tilt": _tilt(recipe.pose),
        "expression": _expression(recipe.expression),
        "light": _light(recipe.light),
    }
    return {subject: described.get(subject) or _class_of(recipe, subject) for subject in FACTORS}


def caption(recipe: Recipe, rng: np.random.Generator, mention: Collection[str] = FACTORS) -> str:
    """Return a caption of the recipe in randomly chosen words and order.

    `mention` limits which of `FACTORS` appear. Occlusion always does, present or not, because captions without it
    would train the model to embed covered and free faces alike.
    """
    described = attributes(recipe)
    sharp = _choose(SHARPNESS[described["sharpness"]], rng)
    clauses = [
        _choose(WORDINGS[factor][described[factor]], rng)
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


def _class_of(recipe: Recipe, subject: str) -> str:
    """Return the class of a subject that is one field of the recipe, by its amount."""
    value = _ROWS[subject].value(recipe)
    return _CAPTIONS[subject].classify(value if isinstance(value, str) else abs(value))


def _tilt(pose: Pose) -> str:
    if abs(pose.pitch) < PITCH.thresholds["tilted"]:
        return "level"
    return "up" if pose.pitch > 0 else "down"


def _expression(expression: Expression) -> str:
    units = expression.model_dump()
    strongest = max(units, key=lambda unit: units[unit])
    return strongest if units[strongest] >= EXPRESSION.thresholds["visible"] else "neutral"


def _light(light: Light) -> str:
    if light.exposure < EXPOSURE.thresholds["dark"]:
        return "dark"
    if light.exposure > EXPOSURE.thresholds["bright"]:
        return "bright"
    harshness = _CAPTIONS["light"].classify(unevenness(light))
    if harshness != "harsh":
        return harshness
    return "back" if _frontality(light) < np.cos(np.radians(HARSHNESS.thresholds["behind"])) else "harsh"


def unevenness(light: Light) -> float:
    """Return the visible harshness 0..1 of a light: all of it from the side and behind, none from the camera.

    Shadows of a hard flash beside the lens are hidden from the lens.
    """
    return float(light.harshness * np.sqrt(1 - max(0.0, _frontality(light)) ** 2))


def _frontality(light: Light) -> float:
    """Return the cosine between the directions of the key light and of the camera."""
    return float(np.cos(np.radians(light.azimuth)) * np.cos(np.radians(light.elevation)))
