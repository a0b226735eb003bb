"""Painted facial features: eyes, brows, mouth, nostrils, ageing and beard."""

import colorsys

import numpy as np

from synfiqa.actors.face3d.paint.canvas import Canvas, dot, noise, soft, texel_of_row, to_linear
from synfiqa.actors.face3d.shape.head import FaceMeasures, bump, mouth_line, row_of, smoothstep
from synfiqa.actors.face3d.shape.identity import Identity

SCLERA = (0.80, 0.77, 0.75)
"""Display colour of the white of the eye in the lightest skin."""


def iris_colour(identity: Identity) -> np.ndarray:
    """Return the iris' linear colour (3,): brown in dark skins, brown to green and blue in light ones."""
    a = identity.a
    hue = (0.07, 0.07, 0.08, 0.10, 0.3, 0.57)[int(np.clip((a("iris_hue") + 2.2) / 4.4 * 6, 0, 5))]
    if identity.number("skin_tone") >= 5:
        hue = 0.06
    light = (0.20 if hue < 0.09 else 0.40) + 0.05 * a("iris_light")
    return to_linear(np.array(colorsys.hsv_to_rgb(hue, 0.6 if hue < 0.2 else 0.34, light), np.float32))


def iris_radius(identity: Identity) -> float:
    """Return the iris' radius in head units, about 6 mm."""
    return 0.062 + 0.003 * identity.a("iris_size")


def paint_eyes(c: Canvas, identity: Identity, m: FaceMeasures) -> None:
    """Paint sclera, lashes, creases and closed lids, and write the eye coordinates used by iris and gaze."""
    makeup = identity.number("makeup")
    lash = float(np.clip(0.62 + 0.07 * identity.a("lash_dark") + 0.3 * makeup, 0.4, 1.0))
    white = np.array(SCLERA, np.float32) * (1.02 - 0.018 * identity.number("skin_tone"))
    for side in (-1, 1):
        eye_y = m.eye_y + side * m.eye_asym
        wide = c.near(side * m.eye_x, eye_y, 7 * 0.17, 7 * 0.09 + 0.2)  # the eye's axis is tilted
        dx, dy = _from_eye(wide, m, side)
        near = bump(dx, dy, 0, 0, 0.17, 0.09)
        skin_here = wide.closed.copy(order="K")
        wide.shade(0.24 * near, 0.62)
        wide.closed[:] = skin_here * (1 - 0.10 * near)[..., None]
        _paint_eye(c.near(side * m.eye_x, eye_y, m.eye_w + 0.1, 0.4), identity, m, side, (lash, makeup), white)
        shadow = makeup * bump(dx, dy, 0.02, m.eye_up + 0.022, 0.11, 0.028)
        wide.skin *= 1 - 0.4 * shadow[..., None]
        column = c.near(side * m.eye_x, 0, m.eye_w + 0.1, np.inf)
        dx, dy = _from_eye(column, m, side)
        here = np.abs(dx) < m.eye_w + 0.08
        column.eye[1] = np.where(here, dx * side, column.eye[1])
        column.eye[2] = np.where(here, dy, column.eye[2])


def _from_eye(c: Canvas, m: FaceMeasures, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances outwards and upwards from the middle of an eye, along its axis."""
    dx = (c.x - side * m.eye_x) * side  # > 0 outwards
    return dx, c.y - m.eye_y - side * m.eye_asym - m.eye_tilt * dx


def _paint_eye(
    c: Canvas, identity: Identity, m: FaceMeasures, side: int, paint: tuple[float, float], white: np.ndarray
) -> None:
    """Paint one eye on the part of the canvas around it: `paint` is the strength of lashes and of make-up."""
    lash, makeup = paint
    dx, dy = _from_eye(c, m, side)
    t = np.clip(dx / m.eye_w, -1, 1)
    peak = t - 0.12 * identity.s("lid_peak") * (1 - t * t)
    upper = m.eye_up * np.clip(1 - peak * peak, 0, 1) ** 0.7
    lower = -m.eye_low * np.clip(1 - t * t, 0, 1) ** 0.9
    opening = np.maximum(upper - lower, 1e-4)
    inside = soft(0.014, np.maximum(dy - upper, lower - dy)) * soft(0.014, np.abs(dx) - m.eye_w)

    eye = np.empty_like(c.skin)
    eye[:] = white
    eye *= (0.50 + 0.50 * smoothstep(0.0, 0.07, upper - dy))[..., None]  # the lid's shadow on the ball
    eye *= (0.78 + 0.22 * smoothstep(1.0, 0.45, np.abs(t)))[..., None]
    corner = 0.8 * bump(dx, dy, -0.96 * m.eye_w, -0.004, 0.022, 0.02)
    eye += corner[..., None] * (np.array([0.72, 0.46, 0.43], np.float32) - eye)
    c.skin += inside[..., None] * (np.clip(eye, 0, 1) - c.skin)
    c.gloss *= 1 - inside  # the catch-light is drawn with the iris

    # lash and lid lines
    reach = soft(0.03, np.abs(dx) - m.eye_w - 0.008)
    thick = 0.010 + 0.009 * lash + 0.006 * smoothstep(-1, 1, t)
    upper_line = dot((dy - upper - 0.003) / thick) * reach * lash
    lower_line = dot((dy - lower + 0.004) / 0.010) * reach * (0.22 + 0.3 * makeup)
    c.skin *= 1 - np.maximum(upper_line, lower_line)[..., None] * np.array([0.86, 0.9, 0.92], np.float32)
    crease_y = upper + 0.032 + 0.009 * identity.s("crease") + 0.012 * t
    crease = dot((dy - crease_y) / 0.012) * reach * (0.36 + 0.12 * identity.s("crease"))
    c.skin *= 1 - np.clip(crease, 0, 1)[..., None] * np.array([0.5, 0.64, 0.66], np.float32)

    seam = dot((dy - lower - 0.002) / 0.015) * reach * lash
    c.closed *= 1 - seam[..., None] * 0.85
    c.closed *= 1 - (0.2 * dot((dy - upper - 0.02) / 0.02) * reach)[..., None]
    quantile = np.clip((dy - lower) / opening, 0, 1)
    # 0 above the opening, 1 below it, continued a little outside, so that interpolation never mixes in the value 2
    around = (np.abs(dx) < m.eye_w + 0.06) & (np.abs(dy) < 0.17)
    c.lid[:] = np.where(around, 1 - quantile, c.lid)
    c.eye[0] = np.maximum(c.eye[0], inside)


def paint_brows(c: Canvas, identity: Identity, m: FaceMeasures, rng: np.random.Generator) -> None:
    """Paint brow hair as an opacity, tapered outwards, with strands."""
    density = float(np.clip(0.82 + 0.09 * identity.a("brow_dark"), 0.55, 1.0))
    strands = noise(rng, (30, 90), c.x.shape)
    for side in (-1, 1):
        dx = c.x * side
        t = (dx - m.brow_in) / (m.brow_out - m.brow_in)
        u = np.clip(t, 0, 1)
        line = m.brow_y + side * m.brow_asym + m.brow_tilt * (u - 0.3) * 0.5
        line = line + m.brow_arch * (np.sin(np.pi * np.clip(u * 0.85 + 0.05, 0, 1)) - 0.55) * 1.2
        thick = m.brow_thick * (0.55 + 0.6 * np.sin(np.pi * np.clip(u * 0.75 + 0.2, 0, 1))) * (1 - 0.45 * u**3)
        body = soft(0.03, np.abs(c.y - line + 0.006 * strands) - thick)
        ends = smoothstep(-0.06, 0.08, t) * smoothstep(1.06, 0.9, t)
        c.facial_hair[:] = np.maximum(c.facial_hair, body * ends * density * (0.88 + 0.1 * strands).clip(0.4, 1))


def paint_mouth(c: Canvas, identity: Identity, m: FaceMeasures) -> None:
    """Paint lips, the line between them and the inside of the mouth on the strip that opens."""
    c = c.near(0, m.mouth_y, np.inf, 0.6)
    t = c.x / m.mouth_w
    line = m.mouth_y + mouth_line(m, c.x)
    taper = np.clip(1 - t * t, 0, 1)
    bow = 1 - 0.32 * np.exp(-((t / 0.16) ** 2)) * (0.8 + 0.25 * identity.s("lip_bow"))
    top = m.lip_up * bow * taper**0.75
    bottom = m.lip_low * taper**0.62
    d = c.y - line
    lips = soft(0.018, np.maximum(d - top, -d - bottom)) * soft(0.02, np.abs(t) * m.mouth_w - m.mouth_w)
    tone = identity.number("skin_tone")
    makeup = identity.number("makeup")
    natural = c.skin * np.array([0.90, 0.66, 0.68], np.float32)
    if tone >= 6:
        natural = c.skin * np.array([0.92, 0.74, 0.78], np.float32) + 0.01
    natural *= 1 - 0.08 * identity.a("lip_dark")
    hue = 0.97 + 0.015 * identity.a("lip_tone")
    stick = np.array(colorsys.hsv_to_rgb(hue % 1, 0.62, 0.64 - 0.10 * identity.a("lip_dark")), np.float32)
    colour = natural + 0.75 * makeup * (stick * (1.05 - 0.05 * tone) - natural)
    upper_dark = np.where(d > 0, 0.86, 1.0)[..., None]
    c.tint(0.88 * lips, colour * upper_dark)
    c.gloss += lips * (0.25 + 0.4 * makeup)
    crease = dot(d / 0.012) * smoothstep(1.12, 0.92, np.abs(t))
    c.shade(0.80 * crease, (0.34, 0.22, 0.22))
    c.shade(0.22 * bump(np.abs(c.x), d, m.mouth_w + 0.005, 0.008, 0.025, 0.022), 0.5)
    c.shade(0.15 * bump(c.x, c.y, 0, m.mouth_y - m.lip_low - 0.045, 0.16, 0.032), 0.6)
    inside = c.lip_strip * soft(0.05, np.abs(t) - 0.98)
    c.tint(inside, (0.22, 0.07, 0.07))
    c.gloss *= 1 - inside


def paint_nose(c: Canvas, identity: Identity, m: FaceMeasures) -> None:
    """Paint nostrils, the wings' crease and the shade below the nose."""
    size = 0.030 + 0.005 * identity.s("nostril")
    for side in (-1, 1):
        p = c.near(side * m.nose_w * 0.46, m.nose_base + 0.026, 7 * size, 7 * 0.015)
        hole = bump(p.x, p.y, side * m.nose_w * 0.46, m.nose_base + 0.026, size, 0.015)
        p.shade(np.clip(1.1 * hole, 0, 0.85), (0.26, 0.18, 0.17))
        wing_x = side * (m.nose_w + 0.012)
        p = c.near(wing_x, m.nose_base + 0.06, 7 * 0.018, 7 * 0.045)
        p.shade(0.24 * bump(p.x, p.y, wing_x, m.nose_base + 0.06, 0.018, 0.045), 0.5)
    p = c.near(0, m.nose_base - 0.008, 7 * m.nose_w * 0.7, 7 * 0.03)
    p.shade(0.12 * bump(p.x, p.y, 0, m.nose_base - 0.008, m.nose_w * 0.7, 0.03), 0.5)
    p = c.near(0, m.nose_tip + 0.1, 7 * 0.03, 7 * 0.12)
    p.tint(0.10 * bump(p.x, p.y, 0, m.nose_tip + 0.1, 0.03, 0.12), 1.0)


def paint_age(c: Canvas, identity: Identity, m: FaceMeasures) -> None:
    """Paint forehead lines, nasolabial folds, crow's feet and bags, growing with age."""
    a = identity.a
    old = float(np.clip((identity.number("age") - 25) / 45, 0, 1))
    fold = 0.10 + 0.38 * old + 0.06 * a("lines_nose")
    for side in (-1, 1):
        p = c.part(c.around((-1.0, 0.1) if side < 0 else (-0.1, 1.0), (m.mouth_y - 0.07, m.nose_base + 0.09)))
        t = np.clip((m.nose_base + 0.08 - p.y) / (m.nose_base + 0.08 - m.mouth_y + 0.06), 0, 1)
        path = m.nose_w + 0.04 + (m.mouth_w + 0.055 - m.nose_w - 0.04) * t**0.8
        ends = smoothstep(0, 0.2, t) * smoothstep(1.0, 0.75, t)
        p.shade(np.clip(fold, 0, 0.6) * dot((p.x * side - path) / 0.022) * ends, 0.55)
        bag = np.clip(0.16 + 0.22 * old + 0.10 * a("bags"), 0, 0.6)
        p = c.near(side * (m.eye_x - 0.02), m.eye_y - m.eye_low - 0.045, 7 * 0.11, 7 * 0.022)
        dy = p.y - m.eye_y + m.eye_low + 0.045
        p.shade(bag * bump(p.x * side, dy, m.eye_x - 0.02, 0, 0.11, 0.022), (0.58, 0.5, 0.52))
        feet = np.clip(0.45 * old + 0.12 * a("lines_eye") - 0.1, 0, 0.5)
        if feet > 0:
            p = c.near(side * (m.eye_x + m.eye_w + 0.06), m.eye_y, 7 * 0.045, 7 * 0.06)
            dx = p.x * side
            angle = np.arctan2(p.y - m.eye_y, dx - m.eye_x - m.eye_w * 0.6)
            rays = 0.5 + 0.5 * np.cos(angle * 14)
            p.shade(feet * rays**3 * bump(dx, p.y, m.eye_x + m.eye_w + 0.06, m.eye_y, 0.045, 0.06), 0.6)
    lines = np.clip(0.42 * old + 0.1 * a("lines_brow") - 0.08, 0, 0.5)
    if lines > 0:
        p = c.near(0, m.brow_y + 0.23, 7 * 0.28, 7 * 0.075)
        wave = np.sin((p.y + 0.03 * np.cos(p.x * 4)) * 2 * np.pi / 0.085)
        zone = bump(p.x, p.y, 0, m.brow_y + 0.23, 0.28, 0.075)
        p.shade(lines * smoothstep(0.55, 1.0, wave) * zone, 0.55)
    between = np.clip(0.35 * old + 0.12 * a("lines_brow"), 0, 0.5)
    p = c.near(0, m.brow_y, 0.045 + 5 * 0.014, 5 * 0.07)
    p.shade(between * dot((np.abs(p.x) - 0.045) / 0.014) * dot((p.y - m.brow_y) / 0.07), 0.55)


def paint_beard(c: Canvas, identity: Identity, m: FaceMeasures, rng: np.random.Generator) -> None:
    """Paint beard and moustache as hair opacity with a soft, noisy edge."""
    kind = str(identity.attributes["beard"])
    if kind == "none":
        return
    a = identity.a
    edge = 0.018 * noise(rng, (26, 40), c.x.shape)
    fine = noise(rng, (96, 96), c.x.shape)
    ax = np.abs(c.x)
    cheek_line = m.mouth_y + 0.02 + 0.05 * a("beard_extent") + 0.55 * np.clip(ax - 0.22, 0, 1) ** 1.2
    beard = smoothstep(0.05, -0.06, c.y + edge - cheek_line)
    around_mouth = dot(((c.y - m.mouth_y + 0.02) / (m.lip_low + 0.06)) ** 2) * dot((ax / (m.mouth_w + 0.025)) ** 3)
    beard *= 1 - around_mouth
    beard *= 1 - 0.85 * bump(c.x, c.y, 0.13, m.mouth_y - m.lip_low - 0.03, 0.05, 0.03)
    beard *= 1 - 0.85 * bump(c.x, c.y, -0.13, m.mouth_y - m.lip_low - 0.03, 0.05, 0.03)
    beard *= smoothstep(texel_of_row(row_of("neck")), texel_of_row(row_of("chin_bottom")), c.texel)
    beard *= smoothstep(0.10, 0.34, c.z + 2 * edge)  # thins out before the ear
    droop = 0.5 * np.clip(ax - 0.08, 0, 1) ** 1.3
    mid = 0.5 * (m.nose_base + m.mouth_y + m.lip_up) - droop
    moustache = soft(0.03, np.abs(c.y - mid + edge) - (0.033 + 0.008 * a("moustache")))
    moustache = moustache * smoothstep(m.mouth_w + 0.05, m.mouth_w - 0.06, ax)
    goatee = beard * smoothstep(0.25, 0.16, ax + edge) * smoothstep(m.mouth_y + 0.02, m.mouth_y - 0.08, c.y)
    strength = float(np.clip(0.82 + 0.07 * a("beard_density"), 0.6, 1.0))
    jaw = m.chin_y + 0.02 + 1.75 * np.square(ax)  # outline of the lower face from the front
    bars = dot(((ax - m.mouth_w - 0.03 + edge) / 0.055) ** 2) * smoothstep(m.mouth_y + 0.10, m.mouth_y, c.y)
    bars = bars * smoothstep(m.chin_y + 0.02, m.chin_y + 0.12, c.y)
    strap = beard * smoothstep(0.17, 0.08, c.y + edge - jaw)
    whiskers = beard * smoothstep(0.22, 0.34, ax + edge)
    opacity = {
        "stubble": 0.34 * np.maximum(beard, moustache),
        "moustache": strength * moustache + 0.14 * beard,
        "goatee": strength * np.maximum(moustache * 0.95, goatee) + 0.08 * beard,
        "full": strength * np.maximum(beard, moustache * 0.95),
        "horseshoe": strength * np.maximum(moustache, bars) + 0.12 * beard,
        "chin_strap": strength * strap + 0.10 * np.maximum(beard, moustache),
        "whiskers": strength * np.maximum(whiskers, 0.9 * moustache) + 0.08 * beard,
        "long": 1.15 * strength * np.maximum(beard, moustache),
    }[kind]
    lips = soft(0.02, np.maximum(c.y - m.mouth_y - m.lip_up, m.mouth_y - m.lip_low - c.y)) * soft(0.03, ax - m.mouth_w)
    opacity = opacity * (0.86 + 0.16 * fine).clip(0.3, 1) * (1 - lips)
    c.facial_hair[:] = np.maximum(c.facial_hair, np.clip(opacity, 0, 1))
