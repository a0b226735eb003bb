"""Job: make a template bank, from distributions or from what an encoder measured on rejected candidates."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from actors.face_model.parameters import FaceParameters
from actors.face_model.sh_light import unevenness
from actors.parametric_bank import ExpressionSpace, parametric_bank
from actors.template_bank import Template, TemplateBank
from cluster.errors import JobFailed, UserError
from schemas.config import DegradedSection

MAX_REFERENCE_YAW = 10.0
"""Degrees; candidates that look further aside are no references."""


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
    bank = parametric_bank(seed, references, degraded, space, distribution or DegradedSection())
    bank.save(path)
    _say(f"{path}: {len(bank.references)} references and {len(bank.degradations)} degraded templates")
    return bank


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
