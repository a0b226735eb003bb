"""One key light over a sky ambient, in linear light, and the camera's tone curve."""

import colorsys
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from synfiqa.schemas.recipe import Light
from synfiqa.schemas.seeds import derive_seed, generator

_BRIGHTEST, _STEPS = 4.0, 16384  # exposed light that clips to white, and entries of the tone curve up to it
_NEUTRAL = (1.0, 1.0, 1.0)
_SCATTER = (0.16, 0.06, 0.03)  # extent of the key light past the terminator, by channel


@dataclass(frozen=True)
class Lamp:
    """A light source: unit direction to the key (x right, y up, z to the camera) and strengths."""

    direction: tuple[float, float, float]
    key: float
    wrap: float  # 0 = hard terminator, 1 = light reaches the whole surface
    ambient: float
    fill: float  # frontal fill along the camera axis
    white: tuple[float, float, float]  # gain per channel, with exposure
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the key light
    rim: float = 0.0  # light from behind that grazes the outline


def lamp(light: Light, tint: float = 0.0, seed: int = 0) -> Lamp:
    """Return the lamp of a recipe; `tint` (-1..1) is a small extra white-balance error of the sample.

    The seed determines the hue of the cast, and whether it colours the key light alone or the whole image.
    """
    colour, balance = _cast(light.cast, seed)
    behind = behind_share(light)
    az, el = np.radians(light.azimuth), np.radians(light.elevation)
    h = light.harshness
    warm = light.temperature + 0.25 * tint
    gain = light.exposure
    return Lamp(
        direction=(float(np.sin(az) * np.cos(el)), float(np.sin(el)), float(np.cos(az) * np.cos(el))),
        key=0.50 + 0.62 * h,
        wrap=0.55 * (1 - h),
        ambient=0.40 - 0.33 * h,
        fill=0.30 - 0.28 * h,
        white=(gain * (1 + 0.20 * warm) * balance[0], gain * balance[1], gain * (1 - 0.24 * warm) * balance[2]),
        colour=colour,
        rim=1.7 * h * behind,
    )


def behind_share(light: Light) -> float:
    """Return the share 0..1 of the key light's direction behind the head: 0 from the side and in front."""
    return max(0.0, -float(np.cos(np.radians(light.azimuth)) * np.cos(np.radians(light.elevation))))


def backdrop_level(light: Light) -> float:
    """Return the brightness of the backdrop: hard light from the front dims it, from behind brightens it."""
    return 0.75 - 0.35 * light.harshness + 1.5 * light.harshness * behind_share(light)


_Gain = tuple[float, float, float]


def _cast(strength: float, seed: int) -> tuple[_Gain, _Gain]:
    """Return gains per channel, 1 on average, of the key light and of the white balance; one of them is neutral."""
    if strength == 0:
        return _NEUTRAL, _NEUTRAL
    rng = generator(derive_seed(seed, "face3d", "cast"))
    hue, whole = rng.random(), rng.random() < 0.5
    r, g, b = colorsys.hsv_to_rgb(hue, (0.65 if whole else 0.9) * strength, 1.0)
    mean = (r + g + b) / 3
    gains = (r / mean, g / mean, b / mean)
    return (_NEUTRAL, gains) if whole else (gains, _NEUTRAL)


def shade(albedo: Tensor, normal: Tensor, gloss: Tensor, reach: Tensor, light: Lamp) -> Tensor:
    """Return the linear colour (3, P) of points with unit normals (3, P) and gloss (P,).

    `reach` (P,) is the share of the key light not blocked by a cast shadow.
    """
    nx, ny, nz = normal
    dx, dy, dz = light.direction
    cosine = nx * dx + ny * dy + nz * dz
    # red light scatters furthest under skin: the terminator is wider and warmer than a bare cosine
    wrap = torch.tensor(_SCATTER, dtype=normal.dtype, device=normal.device)[:, None] + light.wrap
    colour = torch.tensor(light.colour, dtype=normal.dtype, device=normal.device)[:, None]
    key = ((cosine + wrap) * (light.key / (1 + wrap))).clamp_(min=0).mul_(reach)
    if light.rim:
        key += light.rim * ((1 - nz.clamp(0, 1)) ** 3 * (cosine + 0.75).clamp_(0, 1))
    around = light.ambient * (0.8 + 0.2 * ny) + light.fill * nz.clamp(min=0)
    # Blinn lobe: half vector between the key and the viewer at +z
    norm = float(np.sqrt(dx * dx + dy * dy + (dz + 1) ** 2)) + 1e-6
    lobe = ((cosine + nz) / norm).clamp_(min=0)
    for _ in range(4):
        lobe.square_()  # power 16
    shine = gloss * (light.key * 0.16) * lobe * (cosine > 0) * reach
    if light.colour == _NEUTRAL:
        return key.add_(around).mul_(albedo).add_(shine)
    return key.mul_(colour).add_(around).mul_(albedo).add_(shine * colour)


def shade_hair(
    albedo: Tensor, normal: Tensor, strand: Tensor, sheen: Tensor, reach: Tensor, light: Lamp, gleam: float = 1.0
) -> Tensor:
    """Return the linear colour (3, P) of hair with strand directions (3, P): diffuse light and two highlights.

    `sheen` (P,) is the strand brightness of the texture; it shifts the two highlights so that they break up. `gleam`
    scales them, and is lower for curls.
    """
    dx, dy, dz = light.direction
    nx, ny, nz = normal
    sx, sy, sz = unit(strand)
    norm = float(np.sqrt(dx * dx + dy * dy + (dz + 1) ** 2)) + 1e-6
    shift = 0.28 * (sheen - 1)
    cosine = nx * dx + ny * dy + nz * dz
    facing = (cosine + 0.25 + light.wrap).clamp(min=0) / (1.25 + light.wrap)
    along = sx * dx + sy * dy + sz * dz
    around = (1 - along.square()).clamp_(min=0).sqrt_()
    diffuse = light.key * facing * (0.75 + 0.25 * around) * reach
    ambient = light.ambient * (0.75 + 0.25 * ny) + light.fill * nz.clamp(min=0)
    side = (along + sz) / norm + shift
    first = (1 - (side - 0.12).square()).clamp_(min=0) ** 40
    second = (1 - (side + 0.14).square()).clamp_(min=0) ** 14
    shine = gleam * (light.key * reach + 0.5 * light.fill) * facing
    glow = torch.zeros_like(diffuse)
    if light.rim:
        edge = light.rim * (1 - nz.clamp(0, 1)) ** 3 * (cosine + 0.75).clamp_(0, 1)
        diffuse, glow = diffuse + edge, 0.10 * edge  # single hairs transmit light of any hair colour
    colour = torch.tensor(light.colour, dtype=normal.dtype, device=normal.device)[:, None]
    coloured = albedo * ((diffuse + 1.3 * shine * second) * colour + ambient)
    return coloured + ((0.05 + 0.12 * albedo) * (shine * first) + glow) * colour


def unit(vectors: Tensor) -> Tensor:
    """Return vectors (3, P) at length 1."""
    x, y, z = vectors
    return vectors * (x * x + y * y + z * z).clamp(min=1e-24).rsqrt()


def develop(linear: Tensor, light: Lamp) -> Tensor:
    """Return uint8 display values of linear light (3, ...): white balance, exposure, soft shoulder, gamma 2.2."""
    white = torch.tensor(light.white, dtype=linear.dtype, device=linear.device).view(3, *[1] * (linear.dim() - 1))
    steps = (linear * white).clamp_(0, _BRIGHTEST).sqrt_() * (_STEPS / _BRIGHTEST**0.5)
    curve = _tone_curve().to(linear.device)
    return curve.index_select(0, (steps + 0.5).int().view(-1)).view(linear.shape)


@cache
def _tone_curve() -> Tensor:
    """Return display values at even steps of the square root of exposed light, which are finer in the shadows."""
    exposed = np.linspace(0, _BRIGHTEST**0.5, _STEPS + 1) ** 2
    knee = 0.75  # above it the curve approaches 1 without hard clipping
    rolled = np.where(exposed > knee, 1 - (1 - knee) * np.exp(-(exposed - knee) / (1 - knee)), exposed)
    return torch.from_numpy(np.floor(rolled ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))
