"""One key light over a sky ambient, in linear light, and the camera's tone curve."""

import colorsys
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from schemas.recipe import Light
from schemas.seeds import derive_seed, generator

_SCATTER = (0.16, 0.06, 0.03)  # how far the key light reaches past the terminator, by channel


@dataclass(frozen=True)
class Lamp:
    """A light ready to shade: unit direction to the key (x right, y up, z to the camera) and strengths."""

    direction: tuple[float, float, float]
    key: float
    wrap: float  # 0 = hard terminator, 1 = light reaches all round
    ambient: float
    fill: float  # frontal fill along the camera axis
    white: tuple[float, float, float]  # gain per channel, with exposure
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the key light
    rim: float = 0.0  # light from behind that grazes the outline


def lamp(light: Light, tint: float = 0.0, seed: int = 0) -> Lamp:
    """Return the lamp of a recipe; `tint` (-1..1) is a small extra white-balance error of the sample.

    The seed says whether the light's cast colours the key alone or all of the picture, and its hue.
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
    """Return how far the key light stands behind the head: 0 from the side and in front, 1 straight behind."""
    return max(0.0, -float(np.cos(np.radians(light.azimuth)) * np.cos(np.radians(light.elevation))))


def backdrop_level(light: Light) -> float:
    """Return the brightness of the backdrop: hard light on the face leaves it dim, hard light from behind floods it."""
    return 0.75 - 0.35 * light.harshness + 1.5 * light.harshness * behind_share(light)


_Gain = tuple[float, float, float]


def _cast(strength: float, seed: int) -> tuple[_Gain, _Gain]:
    """Return gains per channel, 1 on average, of the key light and of the white balance; one of them is neutral."""
    neutral = (1.0, 1.0, 1.0)
    if strength == 0:
        return neutral, neutral
    rng = generator(derive_seed(seed, "face3d", "cast"))
    hue, whole = rng.random(), rng.random() < 0.5
    r, g, b = colorsys.hsv_to_rgb(hue, (0.65 if whole else 0.9) * strength, 1.0)
    mean = (r + g + b) / 3
    gains = (r / mean, g / mean, b / mean)
    return (neutral, gains) if whole else (gains, neutral)


def shade(albedo: Tensor, normal: Tensor, gloss: Tensor, reach: Tensor, light: Lamp) -> Tensor:
    """Return the linear colour (P, 3) of points with unit normals (P, 3) and gloss (P,).

    `reach` (P,) is the share of the key light not blocked by a cast shadow.
    """
    nx, ny, nz = normal.unbind(1)
    dx, dy, dz = light.direction
    cosine = nx * dx + ny * dy + nz * dz
    # red light scatters furthest under skin: the terminator is wider and warmer than a bare cosine
    wrap = torch.tensor(_SCATTER, dtype=normal.dtype, device=normal.device) + light.wrap
    colour = torch.tensor(light.colour, dtype=normal.dtype, device=normal.device)
    key = light.key * ((cosine[:, None] + wrap) / (1 + wrap)).clamp(min=0) * reach[:, None]
    if light.rim:
        key = key + light.rim * ((1 - nz.clamp(0, 1)) ** 3 * (cosine + 0.75).clamp(0, 1))[:, None]
    key = key * colour
    sky = light.ambient * (0.8 + 0.2 * ny)
    fill = light.fill * nz.clamp(min=0)
    # Blinn lobe: half vector between the key and the viewer at +z
    norm = float(np.sqrt(dx * dx + dy * dy + (dz + 1) ** 2)) + 1e-6
    half = ((nx * dx + ny * dy + nz * (dz + 1)) / norm).clamp(min=0)
    lobe = half * half
    lobe = lobe * lobe
    lobe = lobe * lobe
    lobe = lobe * lobe  # power 16
    shine = gloss * light.key * 0.16 * lobe * (cosine > 0) * reach
    return albedo * (key + (sky + fill)[:, None]) + shine[:, None] * colour


def shade_hair(
    albedo: Tensor, normal: Tensor, strand: Tensor, sheen: Tensor, reach: Tensor, light: Lamp, gleam: float = 1.0
) -> Tensor:
    """Return the linear colour (P, 3) of hair: strands (P, 3) scatter round themselves and shine across themselves.

    `sheen` (P,) is the strand brightness of the texture; it shifts the two highlights so that they break up. `gleam`
    scales them: curls point everywhere and show little.
    """
    dx, dy, dz = light.direction
    key = torch.tensor([dx, dy, dz], dtype=normal.dtype, device=normal.device)
    half = torch.tensor([dx, dy, dz + 1], dtype=normal.dtype, device=normal.device)
    half = half / (half.norm() + 1e-6)
    shift = 0.28 * (sheen - 1)
    tangent = functional.normalize(strand, dim=1)
    facing = (normal @ key + 0.25 + light.wrap).clamp(min=0) / (1.25 + light.wrap)
    around = (1 - (tangent @ key) ** 2).clamp(min=0).sqrt()
    diffuse = light.key * (0.75 * facing + 0.25 * facing * around) * reach
    ambient = light.ambient * (0.75 + 0.25 * normal[:, 1]) + light.fill * normal[:, 2].clamp(min=0)
    side = tangent @ half
    first = (1 - (side - 0.12 + shift) ** 2).clamp(min=0) ** 40
    second = (1 - (side + 0.14 + shift) ** 2).clamp(min=0) ** 14
    shine = gleam * (light.key * reach + 0.5 * light.fill) * facing
    glow = torch.zeros_like(diffuse)
    if light.rim:
        edge = light.rim * (1 - normal[:, 2].clamp(0, 1)) ** 3 * (normal @ key + 0.75).clamp(0, 1)
        diffuse, glow = diffuse + edge, 0.10 * edge  # single hairs pass light on, whatever their colour
    colour = torch.tensor(light.colour, dtype=normal.dtype, device=normal.device)
    coloured = albedo * ((diffuse + 1.3 * shine * second)[:, None] * colour + ambient[:, None])
    return coloured + ((0.05 + 0.12 * albedo) * (shine * first)[:, None] + glow[:, None]) * colour


def develop(linear: Tensor, light: Lamp) -> Tensor:
    """Return display values 0..1 of linear light: white balance, exposure, soft shoulder, gamma 2.2."""
    exposed = linear * torch.tensor(light.white, dtype=linear.dtype, device=linear.device)
    knee = 0.75  # above it the curve bends towards 1 and never clips hard
    over = (exposed - knee).clamp(min=0)
    rolled = torch.where(exposed > knee, knee + (1 - knee) * (1 - torch.exp(-over / (1 - knee))), exposed)
    return rolled.clamp(0, 1) ** (1 / 2.2)
