"""Paints the head texture of an identity in (row, column) space, once for all its images."""

import numpy as np

from synfiqa.actors.face3d.paint.canvas import SIZE, Canvas, canvas, noise, to_linear, upsample
from synfiqa.actors.face3d.paint.features import (
    paint_age,
    paint_beard,
    paint_brows,
    paint_eyes,
    paint_mouth,
    paint_nose,
)
from synfiqa.actors.face3d.paint.skin_details import paint_details
from synfiqa.actors.face3d.shape.head import FaceMeasures, bump, smoothstep
from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.actors.face3d.wear.hair import scalp_opacity
from synfiqa.schemas.seeds import derive_seed, generator

# channels: 0-2 skin (linear), 3-5 skin with shut eyes, 6 lid level, 7 facial hair, 8 scalp hair, 9 strands, 10 gloss,
# 11 eyeball, 12-13 x and y from the eye's centre
CHANNELS = 14
# display colours of ten skins from light to dark, for the Monk positions 1..10
_SKIN = np.array(
    [
        (0.91, 0.775, 0.70), (0.895, 0.75, 0.66), (0.875, 0.72, 0.61), (0.83, 0.665, 0.535), (0.77, 0.60, 0.46),
        (0.66, 0.49, 0.36), (0.55, 0.39, 0.28), (0.45, 0.31, 0.22), (0.36, 0.245, 0.18), (0.285, 0.195, 0.15),
    ],
    np.float32,
)  # fmt: skip


def skin_colour(identity: Identity) -> np.ndarray:
    """Return the mean display colour of the skin, (3,)."""
    position = np.clip(identity.number("skin_tone") - 1 + 0.25 * identity.a("skin_light"), 0, 9)
    low = int(min(position, 8))
    colour = _SKIN[low] + (position - low) * (_SKIN[low + 1] - _SKIN[low])
    warm = 0.018 * identity.a("skin_warm")
    return np.asarray(colour * np.array([1 + 0.4 * warm, 1.0, 1 - 1.6 * warm]), np.float32)


def paint_texture(identity: Identity, grid: np.ndarray, m: FaceMeasures) -> np.ndarray:
    """Return the texture (CHANNELS, SIZE, SIZE) of an identity from its neutral grid."""
    rng = generator(derive_seed(identity.seed, "face3d", "texture"))
    position = upsample(grid)
    shape = (SIZE, SIZE)
    blotch = 0.6 * noise(rng, (9, 9), shape) + 0.4 * noise(rng, (26, 26), shape)
    pores = noise(rng, (SIZE, SIZE), shape)
    base = np.empty((*shape, 3), np.float32)
    base[:] = skin_colour(identity)
    amount = 0.022 + 0.007 * identity.a("skin_blotch")
    base *= (1 + amount * blotch + 0.014 * pores)[..., None]

    cols = slice(int(0.17 * SIZE), int(0.83 * SIZE) + 1)
    c = canvas(position, base, slice(0, SIZE), cols)
    # gloss is more visible on dark skin
    c.gloss += 0.025 * (identity.number("skin_tone") - 4) + 0.05 * identity.a("gloss")
    _paint_complexion(c, identity, m)
    paint_nose(c, identity, m)
    paint_mouth(c, identity, m)
    paint_age(c, identity, m)
    _paint_spots(c, identity, m, rng)
    paint_details(c, identity, m)
    paint_eyes(c, identity, m)
    paint_brows(c, identity, m, rng)
    paint_beard(c, identity, m, rng)

    texture = np.zeros((CHANNELS, *shape), np.float32)
    texture[0:3] = texture[3:6] = to_linear(base).transpose(2, 0, 1)
    texture[0:3, :, cols] = to_linear(c.skin).transpose(2, 0, 1)
    texture[3:6, :, cols] = to_linear(c.closed).transpose(2, 0, 1)
    texture[6] = 2.0
    texture[6, :, cols] = c.lid
    texture[7, :, cols] = c.facial_hair
    texture[8], texture[9] = scalp_opacity(identity, position, rng)
    texture[10] = 0.35
    texture[10, :, cols] = c.gloss
    texture[11:14, :, cols] = c.eye
    return texture


def _paint_complexion(c: Canvas, identity: Identity, m: FaceMeasures) -> None:
    red = float(np.clip(0.13 + 0.06 * identity.a("redness"), 0.02, 0.4)) + 0.06 * identity.number("makeup")
    fair = 1.3 - 0.1 * identity.number("skin_tone")
    cheeks = bump(np.abs(c.x), c.y, 0.42, -0.3, 0.16, 0.13) + 0.6 * bump(c.x, c.y, 0, m.nose_tip, 0.11, 0.08)
    c.shade(np.clip(red * fair * cheeks, 0, 0.5), (1.0, 0.62, 0.6))
    sockets = bump(np.abs(c.x), c.y, m.eye_x - 0.03, m.eye_y + 0.01, 0.14, 0.08)
    c.shade(0.16 * sockets, (0.72, 0.56, 0.56))
    c.tint(0.04 * bump(c.x, c.y, 0, 0.42, 0.3, 0.14), 1.0)


def _paint_spots(c: Canvas, identity: Identity, m: FaceMeasures, rng: np.random.Generator) -> None:
    """Paint freckles and moles outside of eyes and lips."""
    level = identity.a("freckles") - 0.7
    if level > 0 and identity.number("skin_tone") <= 5:
        grain = noise(rng, (int(70 - 12 * identity.a("freckle_size")),) * 2, c.x.shape)
        zone = bump(c.x, c.y, 0, -0.24, 0.42, 0.17)
        c.shade(np.clip(level, 0, 0.8) * 0.8 * zone * smoothstep(0.7, 1.4, grain), (0.68, 0.5, 0.4))
    for _ in range(int(np.clip(1.2 + 1.4 * identity.a("moles"), 0, 5))):
        px, py = rng.uniform(-0.5, 0.5), rng.uniform(-0.95, 0.5)
        size, dark = rng.uniform(0.010, 0.020), rng.uniform(0.4, 0.85)
        on_lips = abs(px) < m.mouth_w + 0.04 and abs(py - m.mouth_y) < 0.13
        on_eyes = abs(py - m.eye_y) < 0.16 and 0.1 < abs(px) < 0.52
        if not (on_lips or on_eyes):
            p = c.near(px, py, 7 * size, 7 * size)
            p.shade(dark * bump(p.x, p.y, px, py, size, size), (0.35, 0.25, 0.22))
