"""Hair of each style: opacity on the scalp, the shell over it, and hanging hair."""

from dataclasses import dataclass

import cv2
import numpy as np

from synfiqa.actors.face3d.paint.canvas import noise
from synfiqa.actors.face3d.shape.head import COLUMNS, ROWS, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.schemas.seeds import derive_seed, generator

COLOURS: dict[str, tuple[float, float, float]] = {
    "black": (0.105, 0.093, 0.09),
    "dark_brown": (0.175, 0.12, 0.09),
    "brown": (0.26, 0.17, 0.11),
    "chestnut": (0.34, 0.20, 0.13),
    "red": (0.43, 0.215, 0.12),
    "blond": (0.63, 0.50, 0.345),
    "grey": (0.50, 0.49, 0.48),
    "white": (0.80, 0.79, 0.77),
}


@dataclass(frozen=True)
class Style:
    """Shell thickness on top, at the sides and back (head units), fringe depth, curl, length of hanging hair."""

    top: float
    side: float
    back: float
    fringe: float = 0.0
    curl: float = 0.0
    length: float = 0.0  # lowest y of hanging hair is 0.1 - length; 0 = none
    recede: float = 0.0
    cover_ears: float = 0.0
    lift: float = 0.0  # extra thickness at the front
    sweep: float = 0.0  # how far strands lean sideways
    part: float = 0.0  # angle of the parting from the middle; 0 = none
    wave: float = 0.0  # of hanging hair
    bun: bool = False


STYLES: dict[str, Style] = {
    "bald": Style(0.0, 0.0, 0.0, recede=9.0),
    "buzz": Style(0.012, 0.008, 0.008),
    "short": Style(0.085, 0.03, 0.045, fringe=0.01, sweep=0.35),
    "side_part": Style(0.11, 0.04, 0.06, fringe=0.03, lift=0.05, sweep=0.9, part=0.6),
    "quiff": Style(0.10, 0.022, 0.04, lift=0.14, sweep=0.15),
    "receding": Style(0.035, 0.03, 0.035, recede=1.0),
    "curly": Style(0.15, 0.09, 0.12, fringe=0.04, curl=1.0),
    "afro": Style(0.22, 0.15, 0.20, curl=0.9, fringe=-0.02),
    "pixie": Style(0.11, 0.05, 0.06, fringe=0.17, sweep=0.8),
    "bob": Style(0.09, 0.07, 0.08, fringe=0.0, length=0.85, cover_ears=1.0, part=0.04),
    "long": Style(0.08, 0.06, 0.07, length=1.7, cover_ears=1.0, part=0.03, wave=0.5),
    "long_fringe": Style(0.09, 0.07, 0.08, fringe=0.25, length=1.5, cover_ears=1.0, sweep=0.25),
    "wavy": Style(0.10, 0.06, 0.08, fringe=0.0, length=1.2, cover_ears=1.0, sweep=0.5, part=0.45, wave=1.0),
    "bun": Style(0.055, 0.03, 0.05, bun=True),
}


def style_of(identity: Identity) -> Style:
    """Return the style parameters of an identity."""
    return STYLES[str(identity.attributes["hair_style"])]


def _hairline(identity: Identity, style: Style, theta: np.ndarray) -> np.ndarray:
    """Return the height of the hair's lower edge by angle, without fringe."""
    a = identity.a
    part = np.abs(theta) / np.pi * 180
    recede = float(np.clip(0.04 + 0.035 * a("recession") + 0.22 * style.recede, 0, 5))
    front = (
        0.745 + 0.045 * a("hairline") + 0.05 * (style.length > 0 and style.fringe <= 0) + 0.12 * min(style.recede, 1.0)
    )
    knots = np.array([0, 16, 34, 52, 66, 76, 84, 104, 125, 150, 180], np.float64)
    heights = np.array(
        [front, front - 0.005, front - 0.05 + recede, 0.50 + 0.5 * recede, 0.22, -0.06, 0.10, 0.12, -0.45, -0.70, -0.74]
    )
    if style.recede > 5:
        heights[:] = 9
    elif style.recede > 0.5:
        heights[:3] += (0.20, 0.17, 0.06)
    return np.interp(part, knots, heights).astype(np.float32)


def _signed_height(identity: Identity, y: np.ndarray, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the signed height of each point over the hair's lower edge; a fringe lowers the edge in front."""
    style = style_of(identity)
    edge = _hairline(identity, style, theta)
    cells = 0.7 * noise(rng, (1, 27), (1, theta.shape[-1]))[0] + 0.7 * noise(rng, (1, 61), (1, theta.shape[-1]))[0]
    side = 1 if identity.a("parting") > 0 else -1
    depth = style.fringe * (1 + 0.2 * identity.a("fringe"))
    window = smoothstep(1.15, 0.55, np.abs(theta))
    if str(identity.attributes["hair_style"]) in ("side_part", "pixie"):
        window = window * (0.55 + 0.75 * smoothstep(-0.7, 0.7, theta * side))
    edge = edge - depth * window
    ragged = 0.008 + 0.075 * max(style.fringe, 0)
    if style.part and style.fringe <= 0:
        edge = edge + 0.05 * np.exp(-((theta / 0.16) ** 2)) - 0.05 * smoothstep(0.25, 0.7, np.abs(theta))
    return y - edge + ragged * cells * smoothstep(1.6, 0.9, np.abs(theta))


def scalp_opacity(identity: Identity, position: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return hair opacity and strand brightness over the texture, both (H, W)."""
    size = position.shape[0]
    columns = np.linspace(0, COLUMNS - 1, size)
    theta = np.interp(columns, np.arange(COLUMNS), column_angles())[None, :]
    edge_rng = generator(derive_seed(identity.seed, "face3d", "hairline"))
    s = _signed_height(identity, position[..., 1], theta, edge_rng)
    style = style_of(identity)
    lean = style.sweep * (1 if identity.a("parting") > 0 else -1) * np.ones_like(theta)
    if style.part and style.sweep == 0:
        lean = -0.8 * np.sign(theta)  # strands of a middle parting lean to both sides
    coarse, fine = _strands(rng, size, lean, 60, 5), _strands(rng, size, lean, 230, 7)
    curls = noise(rng, (48, 60), (size, size))
    strands = 1 + 0.20 * coarse + 0.26 * fine
    if style.curl:
        frizz = rng.standard_normal((size, size), dtype=np.float32)
        strands = 1 + 0.14 * fine + style.curl * (0.26 * curls + 0.20 * frizz)
    # roots and deeper layers are shaded by the layers above
    strands = strands * (0.72 + 0.28 * smoothstep(0.0, 0.22, s))
    # at the edge single strands run out into the skin
    soft_edge = 0.05 if style.fringe > 0.1 else 0.085
    loose = 1.0 if style.fringe > 0.1 else 0.6
    opacity = smoothstep(-soft_edge, soft_edge, s + loose * (0.055 * fine + 0.03 * coarse))
    if identity.attributes["hair_style"] == "buzz":
        opacity = opacity * (0.74 + 0.08 * curls)
    return np.clip(opacity, 0, 1), np.clip(strands, 0.22, 2.0)


def _strands(rng: np.random.Generator, size: int, lean: np.ndarray, across: int, along: int) -> np.ndarray:
    """Return strand noise (size, size) of unit deviation that runs down the texture, leaning sideways as combed."""
    field = noise(rng, (along, across), (size, size))
    if not lean.any():
        return field
    u, v = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    reach = np.clip(v / size, 0, 0.4)
    shifted = u + lean * 0.42 * size * reach * smoothstep(0.0, 0.5, 1 - np.abs(2 * u / size - 1))
    return np.asarray(cv2.remap(field, shifted.astype(np.float32), v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def shell_thickness(identity: Identity, grid: np.ndarray) -> np.ndarray:
    """Return the hair shell's height over the scalp on the head grid (ROWS, COLUMNS); < 0 lies under the skin."""
    style = style_of(identity)
    rng = generator(derive_seed(identity.seed, "face3d", "hairline"))
    theta = column_angles()[None, :]
    y = grid[..., 1]
    # same draw as the texture's edge noise, so that shell and paint agree
    s = _signed_height(identity, y, theta, rng)
    angle = np.abs(theta)
    round_head = style.side + (style.back - style.side) * smoothstep(1.6, 2.6, angle)
    up = smoothstep(0.35, 0.95, y)
    thick = round_head + (style.top - round_head) * up
    side = 1 if identity.a("parting") > 0 else -1
    thick = thick + style.lift * smoothstep(1.2, 0.2, angle) * smoothstep(0.5, 0.75, y) * smoothstep(1.3, 0.9, y)
    if style.part:
        # the valley of the parting, and the mass combed over from it
        at = -side * style.part
        valley = np.exp(-(((theta - at) / 0.13) ** 2)) * smoothstep(0.55, 0.8, y) * smoothstep(1.12, 0.95, y)
        thick = thick - 0.4 * style.top * valley
        thick = thick + 0.035 * smoothstep(-0.5, 0.8, theta * side) * up * (style.part > 0.1)
    thick = thick * (1 + 0.16 * identity.a("hair_volume"))
    # locks: ridges that run with the strands and break the outline
    locks = noise(rng, (4, 27), (ROWS, COLUMNS)) * 0.6 + noise(rng, (5, 48), (ROWS, COLUMNS)) * 0.5
    bumps = noise(rng, (22, 26), (ROWS, COLUMNS)) * 0.055 * style.curl
    bumps = bumps + locks * 0.20 * np.clip(thick, 0, 0.12) * (1 - 0.6 * min(1.0, style.curl))
    bumps[:, -1] = bumps[:, 0]
    thick = thick + bumps * smoothstep(0.0, 0.06, thick)
    # a fringe stands off at once; other hair leaves the skin flat and rises slowly
    rise = smoothstep(-0.01, 0.10, s) if style.fringe > 0.1 else smoothstep(-0.02, 0.16 + 1.6 * style.top, s) ** 0.8
    pole = smoothstep(7.0, 1.0, np.arange(ROWS, dtype=np.float32))[:, None]  # all columns meet there
    thick = thick + pole * (thick.mean(1, keepdims=True) - thick)
    return np.where(s > -0.02, thick * rise + 0.004, -0.04).astype(np.float32)


def hanging_grid(
    identity: Identity, grid: np.ndarray, normals: np.ndarray, shell: np.ndarray | None
) -> np.ndarray | None:
    """Return the hanging hair (22, 45, 3), draped over the head and falling in locks; None for styles without."""
    style = style_of(identity)
    if style.length <= 0 or shell is None:
        return None
    a = identity.a
    rng = generator(derive_seed(identity.seed, "face3d", "curtain"))
    rows, columns = 22, 45
    outer = grid + normals * np.maximum(shell, 0)[..., None]
    angles = column_angles()
    start = 1.02 + 0.10 * a("fringe")
    theta = np.linspace(start, 2 * np.pi - start, columns, dtype=np.float32)
    wrapped = np.where(theta > np.pi, theta - 2 * np.pi, theta)
    where = np.interp(wrapped, angles, np.arange(COLUMNS)).astype(np.float32)
    y_levels = np.linspace(0.92, -0.25, 14, dtype=np.float32)
    xz = np.empty((len(y_levels), columns, 2), np.float32)
    left = np.clip(where.astype(int), 0, COLUMNS - 2)
    share = where - left
    top, bottom = 2, row_of("mouth")
    for j in range(columns):
        line = outer[top:bottom, left[j]] * (1 - share[j]) + outer[top:bottom, left[j] + 1] * share[j]
        order = np.argsort(line[:, 1])
        xz[:, j, 0] = np.interp(y_levels, line[order, 1], line[order, 0])
        xz[:, j, 1] = np.interp(y_levels, line[order, 1], line[order, 2])
    centre = np.array([0.0, -0.12], np.float32)
    away = xz - centre
    radius = np.linalg.norm(away, axis=-1)
    direction = away / radius[..., None]
    draped = np.maximum.accumulate(radius, axis=0)  # hair does not follow the skull back in
    tip = 0.1 - style.length * (1 + 0.06 * a("hair_volume"))
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    y = 0.92 + (tip - 0.92) * t
    pick = np.clip((0.92 - y[:, 0]) / (0.92 + 0.25) * (len(y_levels) - 1), 0, len(y_levels) - 1)
    low = np.minimum(pick.astype(int), len(y_levels) - 2)
    f = (pick - low)[:, None]
    r = draped[low] * (1 - f) + draped[low + 1] * f
    d = direction[low] * (1 - f[..., None]) + direction[low + 1] * f[..., None]
    # just over the skin from the temple down: tips and locks that turn in must not cut through a broad cheek
    tucked = r - 0.03 * smoothstep(0.75, 0.92, y)
    least = tucked + 0.035 * smoothstep(0.7, 0.25, y)
    locks = noise(rng, (3, 15), (rows, columns)) + 0.6 * noise(rng, (3, 25), (rows, columns))
    below = smoothstep(0.55, -0.4, y)
    body = 0.055 + 0.025 * a("hair_volume")
    # tucked under the shell at the crown, over it from the temple down; the tips turn in
    r = tucked + body * smoothstep(0.85, 0.2, y) - 0.05 * smoothstep(0.75, 1.0, t)
    r = r + locks * (0.010 + 0.022 * below)
    wave = style.wave * 0.045 * np.sin(9 * y + 2.0 * np.sin(3 * theta)[None, :]) * below
    r = np.maximum(r + wave, least)
    turn = 0.05 * (noise(rng, (3, 9), (rows, columns)) * below) + 0.03 * wave
    x = d[..., 0] * r + turn * d[..., 1]
    z = centre[1] + d[..., 1] * r - turn * d[..., 0]
    ragged = np.abs(noise(rng, (1, 21), (1, columns))) * 0.07 + 0.05 * np.abs(noise(rng, (1, 41), (1, columns)))
    front = np.cos(theta)[None, :]
    y = y + (ragged + 0.10 * np.clip(front, 0, 1)) * t**2
    return np.stack((x, np.broadcast_to(y, x.shape), z), -1).astype(np.float32)
