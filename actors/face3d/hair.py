"""Hair: where the scalp is hairy, the shell over it per style, and hanging hair."""

from dataclasses import dataclass

import numpy as np

from actors.face3d.head import COLUMNS, ROWS, column_angles, smoothstep
from actors.face3d.identity import Identity
from actors.face3d.paint import noise
from schemas.seeds import derive_seed, generator

COLOURS: dict[str, tuple[float, float, float]] = {
    "black": (0.075, 0.065, 0.065),
    "dark_brown": (0.15, 0.10, 0.075),
    "brown": (0.26, 0.17, 0.11),
    "chestnut": (0.36, 0.20, 0.12),
    "red": (0.50, 0.23, 0.11),
    "blond": (0.68, 0.53, 0.34),
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
    bun: bool = False


STYLES: dict[str, Style] = {
    "bald": Style(0.0, 0.0, 0.0, recede=9.0),
    "buzz": Style(0.012, 0.008, 0.008),
    "short": Style(0.075, 0.025, 0.04, fringe=0.03),
    "side_part": Style(0.10, 0.04, 0.06, fringe=0.05, lift=0.03),
    "quiff": Style(0.10, 0.02, 0.035, lift=0.12),
    "receding": Style(0.03, 0.025, 0.03, recede=1.0),
    "curly": Style(0.14, 0.09, 0.12, fringe=0.04, curl=1.0),
    "afro": Style(0.30, 0.26, 0.28, curl=0.6, fringe=-0.02),
    "pixie": Style(0.10, 0.05, 0.06, fringe=0.17),
    "bob": Style(0.10, 0.12, 0.12, fringe=0.0, length=0.85, cover_ears=1.0),
    "long": Style(0.09, 0.10, 0.10, length=1.7, cover_ears=1.0),
    "long_fringe": Style(0.10, 0.10, 0.10, fringe=0.27, length=1.5, cover_ears=1.0),
    "bun": Style(0.05, 0.03, 0.05, bun=True),
}


def style_of(identity: Identity) -> Style:
    """Return the style parameters of an identity."""
    return STYLES[str(identity.attributes["hair_style"])]


def _hairline(identity: Identity, style: Style, theta: np.ndarray) -> np.ndarray:
    """Return the height of the hair's lower edge by angle, without fringe."""
    a = identity.a
    part = np.abs(theta) / np.pi * 180
    recede = float(np.clip(0.04 + 0.035 * a("recession") + 0.22 * style.recede, 0, 5))
    front = 0.70 + 0.045 * a("hairline") + 0.12 * min(style.recede, 1.0)
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
    """Return how far above the hair's edge each point lies; the fringe lowers the edge in front."""
    style = style_of(identity)
    edge = _hairline(identity, style, theta)
    cells = noise(rng, (1, 41), (1, theta.shape[-1]))[0]
    side = 1 if identity.a("parting") > 0 else -1
    depth = style.fringe * (1 + 0.2 * identity.a("fringe"))
    window = smoothstep(1.15, 0.55, np.abs(theta))
    if str(identity.attributes["hair_style"]) in ("side_part", "pixie"):
        window = window * (0.55 + 0.75 * smoothstep(-0.7, 0.7, theta * side))
    edge = edge - depth * window
    ragged = 0.012 + 0.05 * max(style.fringe, 0)
    return y - edge + ragged * cells * smoothstep(1.6, 0.9, np.abs(theta))


def scalp_opacity(identity: Identity, position: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return hair opacity and strand brightness over the texture, both (H, W)."""
    size = position.shape[0]
    columns = np.linspace(0, COLUMNS - 1, size)
    theta = np.interp(columns, np.arange(COLUMNS), column_angles())[None, :]
    edge_rng = generator(derive_seed(identity.seed, "face3d", "hairline"))
    s = _signed_height(identity, position[..., 1], theta, edge_rng)
    style = style_of(identity)
    coarse = noise(rng, (5, 70), (size, size))
    fine = noise(rng, (8, size), (size, size))
    curls = noise(rng, (48, 60), (size, size))
    strands = 1 + 0.16 * coarse + 0.14 * fine
    if style.curl:
        strands = 1 + 0.1 * fine + 0.26 * style.curl * curls
    soft_edge = 0.035 if style.fringe > 0.1 else 0.06
    opacity = smoothstep(-soft_edge, soft_edge, s + 0.02 * fine + 0.012 * coarse)
    if identity.attributes["hair_style"] == "buzz":
        opacity = opacity * (0.78 + 0.06 * curls)
    return np.clip(opacity, 0, 1), np.clip(strands, 0.35, 1.8)


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
    if identity.attributes["hair_style"] == "side_part":
        thick = thick - 0.05 * np.exp(-(((theta + side * 0.6) / 0.12) ** 2)) * up
        thick = thick + 0.04 * smoothstep(-0.5, 0.8, theta * side) * up
    thick = thick * (1 + 0.16 * identity.a("hair_volume"))
    bumps = noise(rng, (22, 26), (ROWS, COLUMNS)) * 0.055 * style.curl + noise(rng, (9, 33), (ROWS, COLUMNS)) * 0.006
    bumps[:, -1] = bumps[:, 0]
    thick = thick + bumps * smoothstep(0.0, 0.1, thick)
    rise = smoothstep(-0.01, 0.10 + 0.6 * style.top * (style.fringe <= 0.1), s)
    return np.where(s > -0.02, thick * rise + 0.004, -0.04).astype(np.float32)


def hanging_grid(identity: Identity, grid: np.ndarray) -> np.ndarray | None:
    """Return the curtain of long hair around sides and back (20, 31, 3), open in front, or None."""
    style = style_of(identity)
    if style.length <= 0:
        return None
    rng = generator(derive_seed(identity.seed, "face3d", "curtain"))
    width = float(np.abs(grid[10:35, :, 0]).max())
    theta = np.radians(np.linspace(48, 312, 31, dtype=np.float32))[None, :]  # round the back, open in front
    t = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    bottom = 0.1 - style.length * (1 + 0.06 * identity.a("hair_volume"))
    top = 0.62
    y = top + (bottom - top) * t
    flare = 0.05 + 0.10 * smoothstep(0, 0.35, t) + 0.05 * np.sin(np.pi * t) * identity.a("hair_volume")
    wave = noise(rng, (6, 12), (20, 31)) * 0.03 * smoothstep(0.2, 0.8, t)
    radius = width + flare + wave
    # front edges lean inwards above the jaw so that the face is framed, not walled
    x = np.sin(theta) * radius
    depth = np.where(np.cos(theta) > 0, 0.62, 1.02)
    z = -0.12 + np.cos(theta) * depth * (radius / width)
    y = y + 0.04 * noise(rng, (1, 31), (1, 31)) * t + 0.05 * np.cos(theta) * t
    return np.stack((x, np.broadcast_to(y, x.shape), np.broadcast_to(z, x.shape)), -1).astype(np.float32)
