"""Glare: what the lenses of clear glasses reflect of a window or the sky, in front of the eyes."""

import numpy as np

from synfiqa.actors.face3d.shape.head import smoothstep
from synfiqa.actors.face3d.shape.mesh import Material, Part

_RINGS = np.array([0.02, 0.2, 0.35, 0.5, 0.62, 0.74, 0.86, 0.95, 1.0], np.float32)[:, None, None]


def glare(frame: list[Part], rng: np.random.Generator, coverage: float) -> list[Part]:
    """Return a reflection in each lens of a frame: a slanted stripe (coverage 0) up to the whole lens (1).

    Its opacity stands in the first number of `uv`; pixels below one half leave the eye visible.
    """
    slant, shift = float(rng.uniform(-0.7, 0.7)), float(rng.uniform(-0.35, 0.35))
    colour = np.array([1.0, 1.0, 1.0], np.float32) * rng.uniform(0.85, 1.1) + np.array([-0.06, 0.0, 0.08], np.float32)
    bars = rng.random() < 0.5
    parts = []
    for rim in (part for part in frame if part.name == "frame"):
        inner = rim.grid[0]
        middle = inner.mean(0)
        lens = middle + _RINGS * (inner - middle)
        lens[..., 2] += 0.03 * (1 - _RINGS[..., 0] ** 2)
        reach = np.abs(inner - middle).max(0)
        u, v = ((lens[..., axis] - middle[axis]) / reach[axis] for axis in (0, 1))
        across = u * np.cos(slant) + v * np.sin(slant) - shift * (1 - coverage)
        half = 0.16 + 0.45 * coverage + 0.95 * coverage**2
        opacity = (0.82 + 0.18 * coverage) * smoothstep(half + 0.22, half - 0.08, np.abs(across))
        opacity = opacity * (0.75 + 0.25 * smoothstep(-1.2, 0.4, v + 1.2 * coverage))
        if bars:  # of a window
            opacity = opacity * (1 - 0.5 * (1 - coverage) * smoothstep(0.09, 0.04, np.abs(v - 0.1)))
        uv = np.stack((opacity, np.zeros_like(opacity)), -1).astype(np.float32)
        parts.append(Part("glare", lens.astype(np.float32), Material.GLARE, uv=uv, colour=colour, double_sided=True))
    return parts
