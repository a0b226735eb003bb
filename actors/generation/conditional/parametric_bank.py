"""Template banks drawn from the run's distribution of pose, expression, light and position."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.actors.face3d.shape.expression import UNITS
from synfiqa.actors.generation.conditional.template_bank import Template, TemplateBank
from synfiqa.actors.generation.face_model.camera import CROP, FRAME, head_axis_angle
from synfiqa.actors.generation.face_model.flame_files import EXPRESSIONS
from synfiqa.actors.generation.face_model.procedural import JAW_OPEN
from synfiqa.actors.generation.face_model.sh_light import light_of
from synfiqa.actors.model_store.architectures.architecture import ExpressionSpace
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.recipe import Expression, Recipe
from synfiqa.schemas.seeds import derive_seed, generator

EXPRESSION_SIZES: dict[ExpressionSpace, int] = {"flame": EXPRESSIONS, "procedural": len(UNITS)}
"""How many numbers an expression has."""
_SCALE = 8.5  # of the camera: a head of 0.3 m is 1.3 times as high as the crop
_SIDE = FRAME / 2  # of the crop in the frame: such a head has two thirds of its height, and room to turn
_FALL = 10.0  # FLAME expressions fade over so many coefficients, the first of which move most


def parametric_bank(
    seed: int, references: int, degraded: int, space: ExpressionSpace, distribution: DegradedSection
) -> TemplateBank:
    """Return a bank of so many templates, the same for equal arguments; the k-th is the same however many there are.

    References are within 4 degrees of frontal, neutral and evenly lit. Two milliseconds a template. Factors of
    plug-ins act on the aligned crop, so no template depends on them.
    """
    return _bank(seed, references, degraded, space, distribution.model_dump_json(exclude={"factors"}))


@lru_cache(maxsize=4)
def _bank(seed: int, references: int, degraded: int, space: ExpressionSpace, written: str) -> TemplateBank:
    """Return the bank of a distribution written as JSON: the section itself has no hash, because it holds a mapping."""
    distribution = DegradedSection.model_validate_json(written)
    drawn = {
        "REF": reference_recipes(seed, 0, references, "corrected"),
        # As released: what a camera does wrong comes after the head is drawn.
        "DEG": degraded_recipes(seed, 0, degraded, distribution, "faithful"),
    }
    groups = {
        kind: tuple(template_of(recipe, f"{kind}-{index:05d}", space) for index, recipe in enumerate(recipes))
        for kind, recipes in drawn.items()
    }
    return TemplateBank(groups["REF"], groups["DEG"], f"distribution, seed {seed}, {space} expressions")


def template_of(recipe: Recipe, token: str, space: ExpressionSpace) -> Template:
    """Return the template that shows a face as a recipe commands; position and scale come from the recipe's seed."""
    random = generator(derive_seed(recipe.seed, "template"))
    loose = 1.0 if recipe.kind == "degraded" else 0.2
    pose = recipe.pose
    head = head_axis_angle(np.array([[pose.yaw, pose.pitch, pose.roll]]))[0]
    side = _SIDE * np.exp(loose * 0.15 * np.clip(random.standard_normal(), -2, 2))
    corner = FRAME / 2 - side / 2 + loose * 24 * np.clip(random.standard_normal(2), -2, 2)
    tform = np.diag([side / (CROP - 1), side / (CROP - 1), 1.0])
    tform[2, :2] = corner
    scale, shift = np.clip(random.standard_normal(1), -2, 2), np.clip(random.standard_normal(2), -2, 2)
    return Template(
        token=token,
        pose=np.array([*head, JAW_OPEN * recipe.expression.mouth_open, 0, 0], np.float32),
        light=light_of(recipe.light),
        expression=_EXPRESSION_OF[space](recipe.expression, random),
        camera=np.array([*_SCALE * (1 + 0.05 * loose * scale), *0.004 * loose * shift], np.float32),
        tform=tform.astype(np.float32),
        tags={"yaw": pose.yaw, "pitch": pose.pitch, "roll": pose.roll, "expression": recipe.expression.intensity},
    )


def _units(expression: Expression, random: np.random.Generator) -> np.ndarray:
    """Return the units of the procedural head; the mouth is 0, because the jaw of the pose opens it."""
    units = [0.0 if unit == "mouth_open" else getattr(expression, unit) for unit in UNITS]
    return np.array(units, np.float32)


def _coefficients(expression: Expression, random: np.random.Generator) -> np.ndarray:
    """Return random FLAME coefficients of the same strength as the units."""
    direction = random.standard_normal(EXPRESSIONS) * np.exp(-np.arange(EXPRESSIONS) / _FALL)
    return (1.5 * expression.intensity * direction).astype(np.float32)


_EXPRESSION_OF: dict[ExpressionSpace, Callable[[Expression, np.random.Generator], np.ndarray]] = {
    "flame": _coefficients,
    "procedural": _units,
}
