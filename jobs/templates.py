"""Job: make a template bank, from distributions or from what an encoder measured on rejected candidates."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from actors.face3d.expression import UNITS
from actors.face_model.camera import CROP, FRAME, head_axis_angle
from actors.face_model.flame_files import EXPRESSIONS
from actors.face_model.parameters import FaceParameters
from actors.face_model.procedural import JAW_OPEN
from actors.face_model.sh_light import light_of, unevenness
from actors.recipe_sampler import degraded_recipes, reference_recipes
from actors.template_bank import Template, TemplateBank
from cluster.errors import JobFailed, UserError
from schemas.config import DegradedSection
from schemas.recipe import Expression, Recipe
from schemas.seeds import derive_seed, generator

ExpressionSpace = Literal["flame", "procedural"]
MAX_REFERENCE_YAW = 10.0
"""Degrees; candidates that look further aside are no references."""
_SCALE = 8.5  # of the camera: an ordinary head fills the crop
_FALL = 10.0  # FLAME expressions fade over so many coefficients, the first of which move most


def run_templates(
    path: Path | str,
    *,
    seed: int = 0,
    references: int = 10,
    degraded: int = 1000,
    space: ExpressionSpace = "flame",
    distribution: DegradedSection | None = None,
) -> TemplateBank:
    """Write a bank drawn from the run's distribution of pose, expression and light; the same for equal arguments.

    The k-th template is the same however many are asked for. References are within 4 degrees of frontal, neutral and
    evenly lit. UserError unless there is at least one of each kind.
    """
    if references < 1 or degraded < 1:
        raise UserError(f"a bank needs references and degraded templates, not {references} and {degraded}")
    drawn = {
        "REF": reference_recipes(seed, 0, references, "corrected"),
        "DEG": degraded_recipes(seed, 0, degraded, distribution or DegradedSection(), "corrected"),
    }
    groups = {
        kind: tuple(template_of(recipe, f"{kind}-{index:05d}", space) for index, recipe in enumerate(recipes))
        for kind, recipes in drawn.items()
    }
    bank = TemplateBank(groups["REF"], groups["DEG"], f"distribution, seed {seed}, {space} expressions")
    bank.save(path)
    _say(f"{path}: {len(bank.references)} references and {len(bank.degradations)} degraded templates")
    return bank


def template_of(recipe: Recipe, token: str, space: ExpressionSpace) -> Template:
    """Return the template that shows a face as a recipe commands; position and scale come from the recipe's seed."""
    random = generator(derive_seed(recipe.seed, "template"))
    loose = 1.0 if recipe.kind == "degraded" else 0.2
    pose = recipe.pose
    head = head_axis_angle(np.array([[pose.yaw, pose.pitch, pose.roll]]))[0]
    side = 352 * np.exp(loose * 0.15 * np.clip(random.standard_normal(), -2, 2))
    corner = FRAME / 2 - side / 2 + loose * 24 * np.clip(random.standard_normal(2), -2, 2)
    tform = np.diag([side / (CROP - 1), side / (CROP - 1), 1.0])
    tform[2, :2] = corner
    scale, shift = np.clip(random.standard_normal(1), -2, 2), np.clip(random.standard_normal(2), -2, 2)
    return Template(
        token=token,
        pose=np.array([*head, JAW_OPEN * recipe.expression.mouth_open, 0, 0], np.float32),
        light=light_of(recipe.light),
        expression=_expression(recipe.expression, space, random),
        camera=np.array([*_SCALE * (1 + 0.05 * loose * scale), *0.004 * loose * shift], np.float32),
        tform=tform.astype(np.float32),
        tags={"yaw": pose.yaw, "pitch": pose.pitch, "roll": pose.roll, "expression": recipe.expression.intensity},
    )


def _expression(expression: Expression, space: ExpressionSpace, random: np.random.Generator) -> np.ndarray:
    """Return the procedural units without the mouth, which the jaw opens, or a FLAME expression as strong as they."""
    if space == "procedural":
        units = [0.0 if unit == "mouth_open" else getattr(expression, unit) for unit in UNITS]
        return np.array(units, np.float32)
    direction = random.standard_normal(EXPRESSIONS) * np.exp(-np.arange(EXPRESSIONS) / _FALL)
    return (1.5 * expression.intensity * direction).astype(np.float32)


def bank_of_candidates(
    parameters: FaceParameters, yaw: Sequence[float] | np.ndarray, references: int = 10, source: str = "candidates"
) -> TemplateBank:
    """Return the bank of what an encoder measured on candidates, rejected ones above all.

    Of those that look ahead (measured `yaw` in degrees) the most frontal, neutral and evenly lit become references,
    by the mean of their three ranks; all others become degraded templates. Rows that are not finite are left out.
    JobFailed when too few look ahead or none is left over.
    """
    turned = np.abs(np.asarray(yaw, dtype=np.float64))
    if turned.shape != (len(parameters),):
        raise ValueError(f"{len(parameters)} candidates need as many yaws, not {turned.shape}")
    usable = parameters.finite().numpy() & np.isfinite(turned)
    ahead = np.flatnonzero(usable & (turned < MAX_REFERENCE_YAW))
    if len(ahead) < references:
        raise JobFailed(
            f"only {len(ahead)} candidates look ahead within {MAX_REFERENCE_YAW:g} degrees but {references} references "
            "are asked for: give more candidates"
        )
    measures = (
        turned,
        torch.cat([parameters.expression, parameters.pose[:, 3:]], dim=1).norm(dim=1).numpy(),
        unevenness(parameters.light).numpy(),
    )
    # Ranks among those that look ahead; stable sorting lets the first candidate win ties.
    ranks = sum(np.argsort(np.argsort(measure[ahead], kind="stable"), kind="stable") for measure in measures)
    chosen = np.sort(ahead[np.argsort(ranks, kind="stable")[:references]])
    rest = np.setdiff1d(np.flatnonzero(usable), chosen)
    if not len(rest):
        raise JobFailed("no candidate is left over for degraded templates: give more candidates")
    groups = [tuple(_measured(parameters, int(row), turned[row]) for row in rows) for rows in (chosen, rest)]
    return TemplateBank(groups[0], groups[1], source)


def _measured(parameters: FaceParameters, row: int, yaw: float) -> Template:
    names = ("pose", "light", "expression", "camera", "tform")
    arrays = {name: getattr(parameters, name)[row].numpy() for name in names}
    return Template(token=f"candidate-{row:07d}", tags={"abs_yaw": round(float(yaw), 3)}, **arrays)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
