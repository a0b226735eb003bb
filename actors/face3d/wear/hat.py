"""Hats: a knitted cap, a cap with a peak, a hat with a brim all round; worn low, they occlude forehead and brows."""

import cv2
import numpy as np

from synfiqa.actors.face3d.shape.head import COLUMNS, FaceMeasures, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.mesh import Part, grid_normals
from synfiqa.actors.face3d.wear.body import cloth

PRESSED_HAIR = 0.045
"""Largest height of hair over the scalp under a hat, head units."""

_ROWS = 18
_HAIRLINE = 0.62  # height of the band in front at coverage 0: on the hairline


def hat(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a hat whose band sits at the hairline (coverage 0) down to just below the brows (1)."""
    kind = str(rng.choice(("knitted", "peaked", "brimmed"), p=(0.35, 0.4, 0.25)))
    return _of_kind(kind, grid, m, rng, coverage)


def cap(grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a knitted or a peaked cap whose band lies as that of `hat`."""
    return _of_kind(str(rng.choice(("knitted", "peaked"))), grid, m, rng, coverage)


def front_edge(m: FaceMeasures, coverage: float) -> float:
    """Return the height of the band in front at a coverage 0..1."""
    return _HAIRLINE + coverage * (m.brow_y - 0.04 - _HAIRLINE)


def _of_kind(kind: str, grid: np.ndarray, m: FaceMeasures, rng: np.random.Generator, coverage: float) -> list[Part]:
    base, normal = _covered_surface(grid, band_height(front_edge(m, coverage), column_angles()))
    colour, second = cloth(rng), cloth(rng)
    t = np.linspace(0, 1, _ROWS, dtype=np.float32)[:, None]
    if kind == "knitted":
        return [_knitted(base, normal, t, colour, second, rng)]
    if kind == "peaked":
        crown = _peaked(base, normal, t, colour)
        return [crown, _peak(crown.grid[-1], second if rng.random() < 0.4 else colour, rng)]
    crown = _brimmed(base, normal, t, colour, second)
    return [crown, _brim(crown.grid[-1], colour, rng)]


def band_height(front: float, theta: np.ndarray) -> np.ndarray:
    """Return the height of the lower edge by angle, from `front` over the ears to the nape."""
    at_ear, at_back = 0.20 + 0.35 * max(0.0, front - 0.2), -0.02 + 0.3 * max(0.0, front - 0.2)
    angle = np.abs(theta)
    forward = at_ear + (front - at_ear) * smoothstep(1.45, 0.35, angle)
    return forward + (at_back - at_ear) * smoothstep(1.6, 2.8, angle)


def _covered_surface(grid: np.ndarray, band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return head surface and normals (rows, COLUMNS, 3) from the pole down to the band."""
    last = row_of("cheek")
    rows = np.arange(last, dtype=np.float32)
    stop = np.array([np.interp(-band[c], -grid[:last, c, 1], rows) for c in range(COLUMNS)], np.float32)
    where = np.linspace(0, 1, _ROWS, dtype=np.float32)[:, None] * stop[None, :]
    columns = np.broadcast_to(np.arange(COLUMNS, dtype=np.float32), where.shape)

    def pick(field: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.remap(field, np.ascontiguousarray(columns), where, cv2.INTER_LINEAR))

    return pick(grid.astype(np.float32)), pick(grid_normals(grid, True).astype(np.float32))


def _knitted(
    base: np.ndarray,
    normal: np.ndarray,
    t: np.ndarray,
    colour: np.ndarray,
    second: np.ndarray,
    rng: np.random.Generator,
) -> Part:
    """Return a ribbed cap with a turned-up edge."""
    ribs = np.cos(np.arange(COLUMNS) * 2 * np.pi * 16 / (COLUMNS - 1))[None, :]
    cuff = smoothstep(0.66, 0.70, t) * (1 - 0.6 * smoothstep(0.96, 1.0, t))
    off = 0.085 + 0.012 * ribs * smoothstep(0.1, 0.4, t) + 0.04 * cuff
    surface = base + normal * off[..., None]
    surface[..., 1] += 0.10 * (1 - t) ** 2
    shade = (0.86 + 0.14 * ribs) * (1 - 0.35 * np.exp(-(((t - 0.655) / 0.03) ** 2)))
    mixed = np.where(cuff[..., None] > 0.5, second if rng.random() < 0.35 else colour, colour)
    painted = (mixed * shade[..., None]).astype(np.float32)
    return Part("hat", surface.astype(np.float32), colour=painted, gloss=0.02, wrap=True)


def _peaked(base: np.ndarray, normal: np.ndarray, t: np.ndarray, colour: np.ndarray) -> Part:
    """Return the round crown of a cap, its front panel standing up."""
    front = smoothstep(1.2, 0.2, np.abs(column_angles()))[None, :]
    off = 0.075 + 0.09 * front * np.sin(np.pi * t**0.8)
    surface = base + normal * off[..., None]
    seams = 1 - 0.25 * (np.arange(COLUMNS) % 11 == 10)[None, :] * (t < 0.93)
    painted = (colour * (seams * np.ones_like(t))[..., None]).astype(np.float32)
    return Part("hat", surface.astype(np.float32), colour=painted, gloss=0.05, wrap=True)


def _peak(band: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> Part:
    """Return the peak that extends from the band's front, arched and tilted down."""
    columns, reach, tilt = 21, rng.uniform(0.5, 0.68), rng.uniform(0.08, 0.20)
    theta = np.linspace(-1.05, 1.05, columns)
    edge = np.stack([np.interp(theta, column_angles(), band[:, axis]) for axis in range(3)], -1)
    across = (theta / 1.05)[None, :]
    out = np.linspace(0, 1, 7)[:, None]
    grown = out * reach * np.sqrt(np.clip(1 - across**2, 0, 1))
    x = edge[:, 0] * (1 + 0.06 * out) * np.ones_like(out)
    y = edge[:, 1] + 0.01 - grown * tilt / reach * 1.15 - 0.09 * across**2 * out
    z = edge[:, 2] - 0.015 + grown
    surface = np.stack((x, y, z), -1).astype(np.float32)
    return Part("hat", surface, colour=colour.astype(np.float32), gloss=0.06, double_sided=True)


def _brimmed(base: np.ndarray, normal: np.ndarray, t: np.ndarray, colour: np.ndarray, second: np.ndarray) -> Part:
    """Return a crown with upright sides, a creased top and a ribbon."""
    middle = np.array([0.0, 0.0, -0.12], np.float32)
    away = (base + normal * 0.075 - middle) * (1, 0, 1)
    # Upright sides must clear the widest part of the head between band and dome.
    widest = np.linalg.norm(away[_ROWS // 2 :], axis=-1).max(0)
    band = away[-1] / np.linalg.norm(away[-1], axis=1, keepdims=True) * widest[:, None]
    top = float(base[..., 1].max()) + 0.06
    closed = np.clip(t / 0.3, 0, 1)
    radius = closed**0.7 * (0.87 + 0.13 * smoothstep(0.3, 0.62, t))
    surface = middle + band[None] * radius[..., None]
    # A crease runs along the top.
    pinch = 0.10 * (1 - closed) * np.abs(np.cos(column_angles()))[None, :]
    surface[..., 1] = top - pinch + (base[-1:, :, 1] - top) * smoothstep(0.25, 1.0, t)
    ribbon = (t > 0.8)[..., None]
    painted = np.where(ribbon, 0.5 * second, colour) * np.ones_like(base)
    return Part("hat", surface.astype(np.float32), colour=painted.astype(np.float32), gloss=0.04, wrap=True)


def _brim(band: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> Part:
    """Return the brim all round, bent down in front and up at the sides."""
    width, bend = rng.uniform(0.32, 0.55), rng.uniform(0.02, 0.14)
    away = (band - (0.0, 0.0, -0.12)) * (1, 0, 1)
    away = away / np.linalg.norm(away, axis=1, keepdims=True)
    out = np.linspace(0, 1, 7)[:, None]
    surface = band[None] + away[None] * (out * width)[..., None]
    theta = column_angles()[None, :]
    surface[..., 1] += out**1.5 * (0.10 * np.sin(theta) ** 2 - bend * np.abs(np.cos(theta)))
    return Part(
        "hat", surface.astype(np.float32), colour=colour.astype(np.float32), gloss=0.04, wrap=True, double_sided=True
    )
