"""What belongs to a person and is worn in all images: glasses, a cap, a headscarf, a long beard."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from synfiqa.actors.face3d.paint.canvas import noise
from synfiqa.actors.face3d.shape.head import COLUMNS, FaceMeasures, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.actors.face3d.shape.mesh import Part
from synfiqa.actors.face3d.wear.drape import hijab, hijab_edge
from synfiqa.actors.face3d.wear.hat import cap, front_edge
from synfiqa.actors.face3d.wear.occluders import glasses
from synfiqa.schemas.recipe import Occluder
from synfiqa.schemas.seeds import derive_seed, generator

EYEWEAR = ("glasses", "sunglasses", "glare")
"""Occluders that replace a person's own glasses."""
HEADWEAR = ("hat", "hijab", "hood")
"""Occluders that replace a person's own cap or headscarf, and names of parts that shade the face."""

Under = Literal["", "hat", "hijab", "hood"]


@dataclass(frozen=True)
class Own:
    """Parts over the unrotated head, what the hair lies under, and the height of the headwear's edge in front."""

    parts: list[Part]
    under: Under = ""
    edge: float = np.inf


def own_things(identity: Identity, grid: np.ndarray, m: FaceMeasures, kind: Occluder, facial_hair: np.ndarray) -> Own:
    """Return what a person wears beside a commanded occluder, which replaces things of the same place.

    `grid` is the expressed, unrotated head, `facial_hair` the linear colour (3,) of a beard.
    """
    parts: list[Part] = []
    owned = bool(identity.attributes.get("own_glasses", False))
    # Candidates' glasses that are not owned are worn where nothing is commanded.
    if identity.attributes["glasses"] and (kind == "none" or (owned and kind not in EYEWEAR)):
        parts += glasses(grid, m, _stream(identity, "glasses"), False, 0.0)
    if identity.attributes["beard"] == "long":
        parts.append(_long_beard(identity, grid, m, facial_hair))
    headwear = identity.attributes.get("headwear", "none")
    if headwear == "none" or kind in HEADWEAR:
        return Own(parts, under=_under(kind))
    rng = _stream(identity, "headwear")
    if headwear == "headscarf":
        coverage = float(rng.uniform(0.0, 0.55))
        return Own(parts + hijab(grid, m, rng, coverage), "hijab", hijab_edge(m, coverage))
    coverage = float(rng.uniform(0.0, 0.4))
    return Own(parts + cap(grid, m, rng, coverage), "hat", front_edge(m, coverage))


def _under(kind: Occluder) -> Under:
    return kind if kind == "hat" or kind == "hijab" or kind == "hood" else ""


def _stream(identity: Identity, name: str) -> np.random.Generator:
    return generator(derive_seed(identity.seed, "face3d", name))


def _long_beard(identity: Identity, grid: np.ndarray, m: FaceMeasures, colour: np.ndarray) -> Part:
    """Return hair that hangs from jaw and chin, longest in the middle."""
    rng = _stream(identity, "long beard")
    rows, columns = 16, 29
    angles = np.linspace(-1.12, 1.12, columns, dtype=np.float32)
    where = np.interp(angles, column_angles(), np.arange(COLUMNS))
    left = where.astype(int)
    share = (where - left)[:, None]
    line = grid[row_of("chin")]
    root = line[left] * (1 - share) + line[left + 1] * share
    reach = np.clip(1 - (angles / 1.12) ** 2, 0, 1)
    length = float(rng.uniform(0.22, 0.55)) * reach**0.7 + 0.03
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    ragged = 0.05 * np.abs(noise(rng, (1, 17), (1, columns)))
    strands = noise(rng, (4, 26), (rows, columns))
    y = root[:, 1] + 0.05 * reach - (length + 0.05 * reach + ragged) * t
    narrow = 1 - 0.22 * t**1.4
    bulge = 0.055 * np.clip(np.sin(np.pi * t), 0, 1) ** 0.7 * reach + 0.02 * smoothstep(0.0, 0.25, t)
    x = root[:, 0] * narrow + 0.012 * strands * t
    z = root[:, 2] + bulge - 0.02 + 0.012 * strands - 0.30 * t**2 * (1 - reach)
    shade = 0.85 + 0.22 * noise(rng, (5, 28), (rows, columns)) * (0.4 + 0.6 * t) - 0.25 * t * (1 - reach)
    surface = np.stack((x, y, z), -1).astype(np.float32)
    painted = (colour * np.clip(shade, 0.35, 1.4)[..., None]).astype(np.float32)
    return Part("beard", surface, colour=painted, gloss=0.1, double_sided=True)
