"""Expression units as displacement fields over the neutral head grid."""

import numpy as np

from synfiqa.actors.face3d.shape.head import (
    LIP_ROW,
    ROWS,
    FaceMeasures,
    bump,
    column_angles,
    mouth_line,
    row_of,
    smoothstep,
)
from synfiqa.schemas.recipe import Expression, Gaze

UNITS = (
    "mouth_open", "smile", "brow_raise", "frown", "pucker", "inner_brow_raise", "squint", "nose_wrinkle",
    "corners_down", "lips_pressed",
)  # fmt: skip
"""Units that displace the surface, in the order of a face model's expression; eyes_closed and gaze act on the eyes."""


def expression_basis(grid: np.ndarray, m: FaceMeasures) -> np.ndarray:
    """Return the displacement of every unit at full strength, (10, ROWS, COLUMNS, 3), from the neutral grid."""
    x, y = grid[..., 0], grid[..., 1]
    front = smoothstep(0.0, 0.4, np.cos(column_angles()))[None, :] * np.ones_like(x)
    basis = np.zeros((len(UNITS), *grid.shape), np.float32)
    lower = (np.arange(ROWS) > LIP_ROW)[:, None]
    side = np.sign(x)
    relative = y - m.mouth_y - mouth_line(m, x)

    # the jaw drops smoothly below the mouth; the lower lip drops at once, in a lens between the corners
    neck = smoothstep(row_of("neck2"), row_of("under"), np.arange(ROWS, dtype=np.float32))[:, None]
    drop = smoothstep(m.mouth_y + 0.02, m.chin_y + 0.05, y) * smoothstep(-0.5, 0.5, np.cos(column_angles()))
    lens = np.clip(1 - (x / (m.mouth_w * 0.97)) ** 2, 0, 1) ** 0.7
    drop = drop + np.where(lower, lens * (1 - drop), 0)
    basis[0, ..., 1] = -0.24 * drop * neck + np.where(~lower, 0.025 * lens * np.exp(-((relative / 0.1) ** 2)), 0)
    basis[0, ..., 2] = -0.07 * drop * neck * front
    basis[0, ..., 0] = -0.03 * side * front * bump(np.abs(x), y, m.mouth_w, m.mouth_y, 0.07, 0.06)

    corner = front * bump(np.abs(x), y, m.mouth_w, m.mouth_y, 0.12, 0.09)
    cheek = front * bump(np.abs(x), y, 0.38, -0.36, 0.13, 0.12)
    basis[1, ..., 0] = 0.065 * side * corner
    basis[1, ..., 1] = 0.085 * corner + 0.03 * cheek
    basis[1, ..., 2] = -0.03 * corner + 0.045 * cheek
    basis[1, ..., 1] -= np.where(lower, 0.02, -0.01) * lens * np.exp(-((relative / 0.12) ** 2)) * front

    basis[2, ..., 1] = 0.085 * front * bump(np.abs(x), y, 0.3, m.brow_y + 0.04, 0.3, 0.10)
    inner = front * bump(np.abs(x), y, 0.13, m.brow_y, 0.11, 0.09)
    basis[3, ..., 0] = -0.04 * side * inner
    basis[3, ..., 1] = -0.07 * inner - 0.02 * front * bump(np.abs(x), y, 0.35, m.brow_y, 0.2, 0.08)
    basis[3, ..., 2] = 0.02 * inner

    lips = front * bump(x, y, 0, m.mouth_y, 0.2, 0.1)
    basis[4, ..., 0] = -0.42 * x * np.exp(-((relative / 0.16) ** 2)) * smoothstep(0.5, 0.2, np.abs(x)) * front
    basis[4, ..., 2] = 0.10 * lips
    basis[4, ..., 1] = 0.015 * np.tanh(relative / 0.03) * lips

    basis[5, ..., 1] = 0.085 * inner
    basis[5, ..., 0] = -0.015 * side * inner
    outer = front * bump(np.abs(x), y, 0.46, m.brow_y, 0.1, 0.09)
    basis[5, ..., 1] -= 0.015 * outer

    # squinting lifts the cheek's upper edge and draws the brow down; the lids narrow with it (see `lid_level`)
    under_eye = front * bump(np.abs(x), y, m.eye_x, m.eye_y - 0.13, 0.16, 0.06)
    basis[6, ..., 1] = 0.045 * under_eye - 0.022 * front * bump(np.abs(x), y, 0.3, m.brow_y, 0.2, 0.07)
    basis[6, ..., 2] = 0.025 * under_eye

    wing = front * bump(np.abs(x), y, m.nose_w, m.nose_base + 0.06, 0.07, 0.07)
    root = front * bump(x, y, 0, m.eye_y + 0.02, 0.1, 0.1)
    philtrum = front * bump(x, y, 0, m.mouth_y + m.lip_up, 0.2, 0.06)
    basis[7, ..., 1] = 0.075 * wing + 0.045 * philtrum - 0.04 * inner
    basis[7, ..., 0] = 0.02 * side * wing
    basis[7, ..., 2] = 0.025 * root + 0.02 * wing

    basis[8, ..., 1] = -0.055 * corner - 0.02 * front * bump(np.abs(x), y, m.mouth_w, m.mouth_y - 0.1, 0.09, 0.08)
    basis[8, ..., 0] = 0.012 * side * corner
    boss = front * bump(x, y, 0, m.chin_y + 0.14, 0.13, 0.08)
    basis[8, ..., 1] += 0.025 * boss
    basis[8, ..., 2] = 0.02 * boss

    # pressed lips roll inwards: each lip shrinks towards the line between them
    band = np.exp(-((relative / 0.09) ** 2)) * smoothstep(1.15 * m.mouth_w, 0.8 * m.mouth_w, np.abs(x)) * front
    basis[9, ..., 1] = -0.62 * relative * band
    basis[9, ..., 2] = -0.035 * band
    basis[9, ..., 0] = 0.015 * side * corner
    return basis


def lid_level(expression: Expression, gaze: Gaze) -> float:
    """Return the closure 0..1 of the upper lids: by `eyes_closed`, or in part by squint, smile and a low gaze."""
    low = 0.22 * expression.squint + 0.12 * expression.smile + 0.012 * max(0.0, -gaze.pitch)
    return float(max(expression.eyes_closed, min(0.6, low)))


def expressed_grid(grid: np.ndarray, basis: np.ndarray, expression: Expression) -> np.ndarray:
    """Return the neutral grid displaced by an expression."""
    strengths = np.array([getattr(expression, unit) for unit in UNITS], np.float32)
    if not strengths.any():
        return grid
    out = grid.copy()
    for strength, field in zip(strengths, basis, strict=True):
        if strength:
            out += strength * field
    return out
