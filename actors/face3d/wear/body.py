"""Ears, neck-to-chest clothing and the hair bun: the parts around the head grid, in head units."""

import numpy as np

from synfiqa.actors.face3d.paint.canvas import dot
from synfiqa.actors.face3d.shape.head import smoothstep
from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.actors.face3d.shape.mesh import Material, Part


def ellipsoid(
    centre: tuple[float, float, float], radii: tuple[float, float, float], rows: int = 9, columns: int = 13
) -> np.ndarray:
    """Return an ellipsoid grid (rows, columns, 3) with poles along y."""
    phi = np.linspace(0.02, np.pi - 0.02, rows, dtype=np.float32)[:, None]
    theta = np.linspace(-np.pi, np.pi, columns, dtype=np.float32)[None, :]
    unit = np.stack((np.sin(phi) * np.sin(theta), np.cos(phi) * np.ones_like(theta), np.sin(phi) * np.cos(theta)), -1)
    return unit * np.array(radii, np.float32) + np.array(centre, np.float32)


def ears(identity: Identity, grid: np.ndarray, skin: np.ndarray) -> list[Part]:
    """Return both ears: helix rim, scapha, antihelix, concha, tragus and lobe as relief of one disc."""
    size = 1 + 0.08 * identity.s("ear_size")
    out = 0.38 + 0.13 * identity.s("ear_out")
    rings = np.array([0.02, 0.18, 0.34, 0.48, 0.60, 0.72, 0.83, 0.92, 1.0, 1.03, 0.96], np.float32)[:, None]
    phi = np.linspace(0, 2 * np.pi, 29, dtype=np.float32)[None, :]  # 0 upwards, turning backwards
    back, up = np.sin(phi), np.cos(phi)
    # weights around the rim: the helix runs from the front over the top and the back to the lobe
    helix = smoothstep(-0.98, -0.55, up + 0.35 * np.minimum(back, 0)) * smoothstep(-1.15, -0.6, back - 0.4 * up)
    lobe = smoothstep(-0.55, -0.95, up)
    outline = (1 - 0.13 * np.clip(-up, 0, 1) + 0.03 * np.clip(up, 0, 1)) * (1 + 0.10 * np.clip(back, 0, 1))
    upper_back = smoothstep(-0.75, 0.0, up * 0.6 + back * 0.7)
    lift = (
        0.085 * dot((rings - 0.95) / 0.10) * helix
        + 0.050 * dot((rings - 0.62) / 0.11) * upper_back
        - 0.055 * dot((rings - 0.24) / 0.22)
        + 0.045 * dot((rings - 0.5) / 0.14) * dot((phi - 3 * np.pi / 2 - 0.25) / 0.35)  # tragus
        + 0.040 * lobe * dot((rings - 0.75) / 0.25)
        - 0.10 * smoothstep(0.99, 0.96, rings) * (np.arange(11)[:, None] == 10)
    )
    shade = np.clip(0.62 + 5.2 * lift, 0.32, 1.0) + 0.1 * lobe * (rings > 0.5)
    parts = []
    rows = np.abs(grid[..., 1] + 0.12).min(1) < 0.06
    half_width = float(np.abs(grid[rows, :, 0]).max())
    for side in (-1, 1):
        along = back * 0.155 * size * rings * outline  # > 0 behind
        height = up * 0.285 * size * rings * outline
        behind = np.clip(along + 0.10, 0, 1)
        x = half_width - 0.035 + behind * np.sin(out) + lift * np.cos(out)
        z = -0.20 - along * np.cos(0.75 * out)
        y = -0.13 + height + 0.16 * (-along)
        surface = np.stack((side * x, y, z), -1).astype(np.float32)
        if side < 0:
            surface = surface[:, ::-1]
        colour = skin * (1.0, 0.86, 0.82) * shade[..., None]
        if side < 0:
            colour = colour[:, ::-1]
        parts.append(Part("ear", surface, colour=colour.astype(np.float32), gloss=0.22, double_sided=True))
    return parts


# y, half width, z front, z back of the clothing from collar to chest
_TORSO = np.array(
    [
        (-1.50, 0.52, 0.24, -0.72), (-1.54, 0.57, 0.30, -0.75), (-1.64, 0.86, 0.40, -0.80), (-1.73, 1.20, 0.48, -0.84),
        (-1.85, 1.55, 0.56, -0.86), (-2.05, 1.82, 0.64, -0.88), (-2.4, 1.98, 0.74, -0.9), (-3.2, 2.0, 0.8, -0.9),
        (-4.2, 2.0, 0.8, -0.9),
    ],
    np.float32,
)  # fmt: skip


def cloth(rng: np.random.Generator) -> np.ndarray:
    """Return a linear cloth colour: dark ones and greys are common, vivid ones rare."""
    value, saturation = np.exp(rng.uniform(np.log(0.02), np.log(0.6))), 0.6 * rng.beta(1.0, 2.2)
    tint = rng.dirichlet((2, 2, 2)) * 3
    return np.asarray(np.clip(value * (1 - saturation + saturation * tint), 0.01, 0.9), np.float32)


def torso(rng: np.random.Generator, identity: Identity) -> Part:
    """Return the clothed upper body; colour, neckline and stripes are drawn from the sample's generator."""
    columns = 41
    theta = np.linspace(-np.pi, np.pi, columns, dtype=np.float32)[None, :]
    rows = _TORSO.copy()
    build = 1 + 0.05 * identity.s("neck_width") + 0.05 * (identity.number("sex") - 0.5)
    rows[2:, 1] *= build
    drop = rng.uniform(0.02, 0.30)
    y, w, zf, zb = (rows[:, i : i + 1] for i in range(4))
    front = np.maximum(np.cos(theta), 0)
    x = w * np.sin(theta)
    z = -0.22 + np.where(np.cos(theta) > 0, (zf + 0.22) * front**0.8, (-0.22 - zb) * np.cos(theta))
    neckline = np.exp(-((rows[:, :1] + 1.5) ** 2) / 0.04) * front ** rng.uniform(2, 9)
    y = y - drop * neckline + 0.05 * np.abs(np.cos(theta)) * (y > -1.6)
    grid = np.stack((x, np.broadcast_to(y, x.shape), np.broadcast_to(z, x.shape)), -1).astype(np.float32)

    base, second = cloth(rng), cloth(rng)
    colour = np.broadcast_to(base, grid.shape).copy()
    pattern = rng.random()
    if pattern < 0.18:  # bands
        colour[::2] = 0.5 * (base + second)
    colour[:2] = 0.8 * (second if pattern > 0.75 else colour[:2])
    return Part("torso", grid, colour=colour.astype(np.float32), gloss=0.05, wrap=True)


def bun() -> Part:
    """Return a knot of hair at the back of the crown."""
    grid = ellipsoid((0.0, 0.98, -0.62), (0.30, 0.27, 0.27), 10, 17)
    u = np.linspace(-1, 1, 17, dtype=np.float32)[None, :] * 0.4
    v = np.linspace(-0.95, -0.8, 10, dtype=np.float32)[:, None]
    uv = np.stack(np.broadcast_arrays(u, v), -1)

    return Part("bun", grid, Material.HAIR, uv=uv, wrap=True)
