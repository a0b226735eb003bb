"""Template banks of what an encoder measured on candidates, rejected ones above all."""

from collections.abc import Sequence

import numpy as np
import torch

from synfiqa.actors.generation.conditional.template_bank import Template, TemplateBank
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.sh_light import unevenness
from synfiqa.schemas.errors import JobFailed

MAX_REFERENCE_YAW = 10.0
"""Degrees; candidates that look further aside are no references."""


def bank_of_candidates(
    parameters: FaceParameters,
    yaw: Sequence[float] | np.ndarray,
    references: int = 10,
    source: str = "candidates",
    numbers: Sequence[int] | None = None,
) -> TemplateBank:
    """Return the bank of what an encoder measured on candidates, rejected ones above all.

    Of those that look ahead (measured `yaw` in degrees) the most frontal, neutral and evenly lit become references,
    by the mean of their three ranks; all others become degraded templates. Rows that are not finite are left out.
    Templates are called by the `numbers` of their candidates, or by their rows.
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
    called = range(len(parameters)) if numbers is None else numbers
    groups = [tuple(_measured(parameters, row, called[row], turned[row]) for row in rows) for rows in (chosen, rest)]
    return TemplateBank(groups[0], groups[1], source)


def _measured(parameters: FaceParameters, row: int, number: int, yaw: float) -> Template:
    names = ("pose", "light", "expression", "camera", "tform")
    arrays = {name: getattr(parameters, name)[row].numpy() for name in names}
    return Template(token=f"candidate-{number:07d}", tags={"abs_yaw": round(float(yaw), 3)}, **arrays)
