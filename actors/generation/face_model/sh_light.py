"""Light as nine spherical harmonics per colour: shading, and the coefficients of a lamp."""

import math

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.face3d.render.lighting import lamp
from synfiqa.schemas.recipe import Light

_SECOND = math.sqrt(5 / (12 * math.pi))
CONSTANTS = (
    1 / math.sqrt(4 * math.pi),
    *(2 * math.pi / 3 * math.sqrt(3 / (4 * math.pi)),) * 3,
    *(3 * math.pi / 4 * _SECOND,) * 3,
    3 * math.pi / 8 * _SECOND,
    math.pi / 8 * math.sqrt(5 / (4 * math.pi)),
)
"""Factors of the terms 1, x, y, z, xy, xz, yz, x^2 - y^2, 3 z^2 - 1 of a normal."""


def terms(normals: Tensor) -> Tensor:
    """Return the nine harmonics (..., 9) of normals (..., 3); normals are not rescaled to unit length."""
    x, y, z = normals.unbind(-1)
    found = [torch.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    return torch.stack(found, dim=-1) * normals.new_tensor(CONSTANTS)


def shading(normals: Tensor, light: Tensor) -> Tensor:
    """Return the light (..., 3) per R, G, B that normals (..., 3) receive from coefficients (..., 9, 3)."""
    return (terms(normals)[..., None] * light).sum(-2)


def lobe(direction: tuple[float, float, float], constant: float, linear: float, quadratic: float) -> np.ndarray:
    """Return coefficients (9,) of constant + linear P1(c) + quadratic P2(c), c the cosine to a unit direction."""
    x, y, z = direction
    half = quadratic / 2
    across = [
        constant, linear * x, linear * y, linear * z, half * 6 * x * y, half * 6 * x * z, half * 6 * y * z,
        half * 1.5 * (x * x - y * y), half * (z * z - (x * x + y * y) / 2),
    ]  # fmt: skip
    return np.array(across) / CONSTANTS


def wrapped_cosine(direction: tuple[float, float, float], wrap: float = 0.0) -> np.ndarray:
    """Return coefficients (9,) nearest to max(0, (c + wrap) / (1 + wrap)), c the cosine to a unit direction.

    Limited to two orders, the result is 1.06 instead of 1 straight under a lamp with wrap 0.
    """
    w = wrap
    first = (1 + w**3) / 3 + w * (1 - w**2) / 2
    second = 3 / 8 * (1 - w**4) + w / 2 * (1 + w**3) - (1 - w**2) / 4 - w * (1 + w) / 2
    return lobe(direction, (1 + w) / 4, 1.5 * first / (1 + w), 2.5 * second / (1 + w))


def light_of(light: Light) -> np.ndarray:
    """Return float32 (9, 3) for a recipe's light: key, sky and fill of the procedural renderer."""
    source = lamp(light)
    found = source.key * wrapped_cosine(source.direction, source.wrap)
    found = found + source.ambient * lobe((0.0, 1.0, 0.0), 0.8, 0.2, 0.0)
    found = found + source.fill * wrapped_cosine((0.0, 0.0, 1.0))
    return (found[:, None] * np.array(source.white)).astype(np.float32)


def unevenness(light: Tensor) -> Tensor:
    """Return the asymmetry (N,) of lights (N, 9, 3), across or from above: 0 for even or frontal light."""
    shaded = light * light.new_tensor(CONSTANTS)[:, None]
    return shaded[:, 1:3].mean(-1).norm(dim=-1) / shaded[:, 0].mean(-1).abs().clamp(min=1e-6)
