"""The neutral head: a swept-profile grid (rows crown to neck, columns around) with Gaussian feature displacements.

Units: 1 = 10 cm; x to image-right, y up (0 at the eye line of the mean face), z towards the camera.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.schemas.seeds import derive_seed, generator

COLUMNS = 65  # odd, so that one column runs along the nose; first and last coincide at the back
# name: y, z front, z back, half width, z centre, place of the row at the ear between nose base (0) and jaw angle (1),
# rows up to the next knot
_KNOTS: dict[str, tuple[float, float, float, float, float, float, int]] = {
    "pole": (1.18, -0.08, -0.16, 0.02, -0.12, 0.0, 2),
    "crown": (1.13, 0.20, -0.44, 0.30, -0.12, 0.0, 2),
    "crown2": (1.02, 0.46, -0.69, 0.495, -0.12, 0.0, 3),
    "upper": (0.84, 0.66, -0.88, 0.64, -0.12, 0.0, 3),
    "hairline": (0.64, 0.79, -0.97, 0.72, -0.12, 0.0, 3),
    "forehead": (0.43, 0.855, -1.0, 0.75, -0.12, 0.0, 5),
    "brow": (0.21, 0.87, -1.0, 0.75, -0.10, 0.0, 6),
    "eye": (0.0, 0.82, -0.96, 0.74, -0.08, 0.0, 6),
    "cheek": (-0.2, 0.80, -0.9, 0.73, -0.05, 0.0, 6),
    "nosebase": (-0.43, 0.80, -0.82, 0.70, -0.03, 0.0, 4),
    "subnasal": (-0.54, 0.80, -0.78, 0.67, -0.01, 0.28, 3),
    "lip_top": (-0.64, 0.805, -0.74, 0.64, -0.01, 0.46, 3),
    "mouth": (-0.71, 0.80, -0.71, 0.615, -0.02, 0.58, 3),
    "lip_bottom": (-0.79, 0.79, -0.69, 0.59, -0.03, 0.69, 3),
    "mental": (-0.90, 0.75, -0.67, 0.555, -0.04, 0.80, 3),
    "chin": (-1.03, 0.75, -0.65, 0.515, -0.06, 0.91, 3),
    "chin_bottom": (-1.14, 0.67, -0.64, 0.47, -0.08, 1.0, 2),
    "under": (-1.18, 0.46, -0.64, 0.45, -0.10, 1.10, 2),
    "neck": (-1.25, 0.30, -0.67, 0.465, -0.16, 0.0, 3),
    "neck2": (-1.55, 0.25, -0.68, 0.47, -0.18, 0.0, 3),
    "neck3": (-1.9, 0.24, -0.70, 0.60, -0.20, 0.0, 0),
}
KNOT_INDEX = {name: i for i, name in enumerate(_KNOTS)}
_PER = np.array([k[6] for k in _KNOTS.values()])
_KNOT_ROW = np.concatenate([[0], np.cumsum(_PER)[:-1]])
LIP_ROW = int(_KNOT_ROW[KNOT_INDEX["mouth"]])  # last row of the upper lip; LIP_ROW + 1 is the first of the lower
ROWS = int(_PER.sum()) + 2


def row_of(name: str) -> int:
    """Return the grid row of a named profile knot (below the mouth the extra lip row is counted)."""
    row = int(_KNOT_ROW[KNOT_INDEX[name]])
    return row + 1 if row > LIP_ROW else row


@dataclass(frozen=True)
class FaceMeasures:
    """Positions and sizes of the features in head units, from the shape coefficients."""

    eye_x: float
    eye_y: float
    eye_w: float
    eye_up: float
    eye_low: float
    eye_tilt: float
    brow_y: float
    brow_arch: float
    brow_tilt: float
    brow_thick: float
    brow_in: float
    brow_out: float
    nose_top: float
    nose_tip: float
    nose_base: float
    nose_w: float
    crook: float
    mouth_y: float
    mouth_w: float
    lip_up: float
    lip_low: float
    lip_bow: float
    lip_curve: float
    chin_y: float
    eye_asym: float
    brow_asym: float
    mouth_asym: float


def measure(identity: Identity) -> FaceMeasures:
    """Return the feature measures of an identity."""
    s = identity.s
    base = -0.53 - 0.064 * s("nose_length")
    lip_up = 0.066 + 0.020 * s("lip_upper")
    # Features keep minimum distances for all coefficients, because rows that meet would fold the surface.
    mouth = min(base - 0.18 - 0.028 * s("philtrum") - 0.026 * s("mouth_y"), base - 0.05 - lip_up)
    chin = mouth - 0.43 - 0.065 * s("chin_length") - 0.028 * s("lower_height")
    eye_x = 0.325 + 0.03 * s("eye_spacing")
    eye_w = 0.15 + 0.02 * s("eye_width")
    eye_y, eye_up = 0.03 * s("eye_y"), 0.066 + 0.014 * s("eye_height")
    brow_thick = 0.034 + 0.012 * s("brow_thick")
    return FaceMeasures(
        eye_x=eye_x,
        eye_y=eye_y,
        eye_w=eye_w,
        eye_up=eye_up,
        eye_low=0.046 + 0.006 * s("lid_lower"),
        eye_tilt=0.05 + 0.08 * s("eye_tilt"),
        brow_y=max(0.215 + 0.04 * s("brow_y"), eye_y + eye_up + brow_thick + 0.05),
        brow_arch=0.045 + 0.03 * s("brow_arch"),
        brow_tilt=0.01 + 0.062 * s("brow_tilt"),
        brow_thick=brow_thick,
        brow_in=max(0.07, 0.14 + 0.033 * s("brow_gap")),
        brow_out=eye_x + 0.21 + 0.025 * s("brow_length"),
        nose_top=0.05 + 0.03 * s("nose_bridge"),
        nose_tip=base + 0.085 + 0.024 * s("nose_turn"),
        nose_base=base,
        nose_w=0.145 + 0.032 * s("nose_width"),
        crook=0.015 * s("nose_crook"),
        mouth_y=mouth,
        mouth_w=0.245 + 0.038 * s("mouth_width"),
        lip_up=lip_up,
        lip_low=0.082 + 0.023 * s("lip_lower"),
        lip_bow=0.012 + 0.008 * s("lip_bow"),
        lip_curve=0.022 + 0.012 * s("lip_curve"),  # mean > 0: with level corners neutral faces look sad
        chin_y=chin,
        eye_asym=0.008 * s("eye_asym"),
        brow_asym=0.010 * s("brow_asym"),
        mouth_asym=0.006 * s("mouth_asym"),
    )


@cache
def _row_basis() -> np.ndarray:
    """Return the (ROWS - 1, K) Catmull-Rom matrix that turns knot values into row values."""
    k = len(_KNOTS)
    basis = np.zeros((ROWS - 1, k), np.float32)
    row = 0
    for i, per in enumerate(_PER):
        for j in range(per if i < k - 1 else 1):
            t = j / per if per else 0.0
            w = (
                -0.5 * t + t**2 - 0.5 * t**3,
                1 - 2.5 * t**2 + 1.5 * t**3,
                0.5 * t + 2 * t**2 - 1.5 * t**3,
                -0.5 * t**2 + 0.5 * t**3,
            )
            for offset, weight in zip((-1, 0, 1, 2), w, strict=True):
                basis[row, min(max(i + offset, 0), k - 1)] += weight
            row += 1
    return basis


@cache
def column_angles() -> np.ndarray:
    """Return the angle of every column, -pi..pi, 0 at the nose; denser in front."""
    u = np.linspace(-1, 1, COLUMNS)
    return (np.pi * (0.42 * u + 0.58 * u**3)).astype(np.float32)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Return the cubic step from 0 at low to 1 at high (low > high reverses it)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: np.ndarray, y: np.ndarray, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """Return an unnormalised 2-D Gaussian."""
    return np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def _profile(identity: Identity, m: FaceMeasures) -> np.ndarray:
    """Return the knots (K, 6) of an identity."""
    s = identity.s
    knots = np.array([k[:6] for k in _KNOTS.values()], np.float32)
    index = KNOT_INDEX
    y = knots[:, 0]
    mouth_shift, chin_shift, base_shift = m.mouth_y + 0.71, m.chin_y + 1.14, m.nose_base + 0.53
    for name in ("nosebase", "subnasal"):
        y[index[name]] += base_shift
    y[index["cheek"]] += 0.4 * base_shift
    for name in ("lip_top", "mouth", "lip_bottom"):
        y[index[name]] += mouth_shift
    y[index["lip_top"]] = m.mouth_y + m.lip_up
    y[index["lip_bottom"]] = m.mouth_y - m.lip_low
    y[index["mental"]] = 0.55 * (m.mouth_y - m.lip_low) + 0.45 * (m.chin_y + 0.11)
    for name in ("chin", "chin_bottom", "under"):
        y[index[name]] += chin_shift
    for name, usual, gap in (
        ("neck", y[index["neck"]] + 0.6 * chin_shift, 0.05),
        ("neck2", -1.55, 0.2),
        ("neck3", -1.9, 0.25),
    ):
        y[index[name]] = min(usual, y[index[name] - 1] - gap)
    y[index["eye"]] += m.eye_y
    y[index["brow"]] = m.brow_y
    top = 0.085 * s("crown_height")
    for i in range(index["forehead"]):
        y[i] = 0.43 + (y[i] - 0.43) * (1 + top)
    y[index["forehead"]] += 0.028 * s("forehead_height")

    zf, zb, w, lift = knots[:, 1], knots[:, 2], knots[:, 3], knots[:, 5]
    slope = 0.045 * s("forehead_slope")
    for name, share in (("forehead", 0.4), ("hairline", 0.8), ("upper", 1.0)):
        zf[index[name]] -= slope * share
    depth = 1 + 0.05 * s("head_depth")
    zb *= depth
    width = 1 + 0.085 * s("face_width")
    w[: index["neck"]] *= width
    ramp = np.zeros(len(knots), np.float32)
    ramp[index["nosebase"] : index["neck"]] = [0.0, 0.2, 0.38, 0.52, 0.65, 0.8, 0.92, 1.0, 0.8]
    w *= 1 + 0.12 * s("jaw_width") * ramp
    ramp[:] = 0
    ramp[index["mental"] : index["neck"]] = [0.3, 0.8, 1.0, 0.6]
    w *= 1 + 0.14 * s("chin_width") * ramp
    for name, share in (("upper", 0.6), ("hairline", 1.0), ("forehead", 0.8), ("brow", 0.3)):
        w[index[name]] *= 1 + 0.065 * s("temple_width") * share
    # at the ear the jaw's rows converge between nose base and jaw angle; absolute heights keep them from crossing
    jaw = m.nose_base - 0.26 - 0.045 * s("jaw_lift") + 0.35 * chin_shift
    jaw_rows = slice(index["subnasal"], index["under"] + 1)
    lift[jaw_rows] = y[index["nosebase"]] + lift[jaw_rows] * (jaw - y[index["nosebase"]]) - y[jaw_rows]
    lift[index["neck"]] = max(0.0, 0.5 * (jaw - 1.25 + 0.05) - y[index["neck"]])
    for name in ("neck", "neck2", "neck3"):
        w[index[name]] *= 1 + 0.09 * s("neck_width")
    chin_out = 0.045 * s("chin_forward")
    for name, share in (("mental", 0.4), ("chin", 1.0), ("chin_bottom", 1.0), ("under", 0.5)):
        zf[index[name]] += chin_out * share
    return knots


def neutral_grid(identity: Identity) -> np.ndarray:
    """Return the neutral head surface, float32 (ROWS, COLUMNS, 3)."""
    s, m = identity.s, measure(identity)
    rows = _row_basis() @ _profile(identity, m)
    rows = np.insert(rows, LIP_ROW + 1, rows[LIP_ROW], axis=0)
    theta = column_angles()[None, :]
    sin, cos = np.sin(theta), np.cos(theta)
    y0, zf, zb, w, zc, lift = (rows[:, i : i + 1] for i in range(6))
    flat = 0.92 - 0.05 * s("face_flat")
    x = w * np.sign(sin) * np.abs(sin) ** 0.96
    front = zc + (zf - zc) * np.abs(cos) ** flat
    z = np.where(cos > 0, front, zc + (zc - zb) * cos)
    angle = np.abs(theta)
    start = 0.20 + 0.10 * s("jaw_angle")
    # behind the ear the rows diverge again, because the nape has no jaw
    y = y0 + lift * smoothstep(start, 1.55, angle) * (1 - 0.75 * smoothstep(1.7, 2.7, angle))
    _features(identity, m, x, y, z, cos)
    amount = float(identity.attributes.get("relief", 0.0))
    if amount:
        z += amount * _relief(identity.seed, x, y, cos)
    # two almost coincident rows bound the inside of the mouth; they separate when it opens
    y[LIP_ROW] += 0.003
    y[LIP_ROW + 1] -= 0.003
    grid = np.stack((x, y, z), -1).astype(np.float32)
    # beside the mouth the dense rows around the strip are spread evenly, because they form a ridge otherwise
    band = slice(LIP_ROW - 12, LIP_ROW + 14)
    even = cv2.GaussianBlur(grid, (1, 25), sigmaX=0.1, sigmaY=3.5, borderType=cv2.BORDER_REPLICATE)
    beside = smoothstep(1.02 * m.mouth_w, 1.5 * m.mouth_w, np.abs(x[band]))
    fade = np.minimum(np.arange(26), np.arange(26)[::-1]).clip(0, 5)[:, None] / 5
    grid[band] += (beside * fade)[..., None].astype(np.float32) * (even[band] - grid[band])
    _soften_jaw(grid, angle)
    return grid


def _soften_jaw(grid: np.ndarray, angle: np.ndarray) -> None:
    """Smooth, in place, the folds of dense rows below the ear, which would show in profile."""
    first, last = row_of("nosebase"), row_of("neck3")
    rows = np.arange(first, last)[:, None]
    round_rows = cv2.GaussianBlur(grid, (1, 41), sigmaX=0.1, sigmaY=6.0, borderType=cv2.BORDER_REPLICATE)
    fade = smoothstep(first, first + 6, rows) * smoothstep(last, last - 4, rows)
    weight = fade * (0.3 * smoothstep(0.7, 1.2, angle) + 0.7 * smoothstep(1.25, 1.75, angle))
    grid[first:last] += weight[..., None].astype(np.float32) * (round_rows[first:last] - grid[first:last])


def _relief(seed: int, x: np.ndarray, y: np.ndarray, cos: np.ndarray) -> np.ndarray:
    """Return a smooth individual relief in head units: twelve waves of random direction, 0.3 to 1.2 units long."""
    rng = generator(derive_seed(seed, "face3d", "relief"))
    field = np.zeros_like(x)
    for _ in range(12):
        length, turn, phase = rng.uniform(0.3, 1.2), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        field += length * np.sin((x * np.cos(turn) + y * np.sin(turn)) * (2 * np.pi / length) + phase)
    return np.asarray(0.0105 * field * smoothstep(0.05, 0.5, cos) * smoothstep(-1.3, -1.0, y) * smoothstep(0.9, 0.5, y))


def mouth_line(m: FaceMeasures, x: np.ndarray) -> np.ndarray:
    """Return the height of the line between the lips above mouth_y at lateral position x."""
    t = np.clip(np.abs(x) / m.mouth_w, 0, 1.15)
    wave = 0.5 * m.lip_bow * (np.cos(np.pi * np.clip(t * 2.2, 0, 2)) - 1) / 2
    return m.lip_curve * t**2 + wave + m.mouth_asym * x / m.mouth_w


def _features(
    identity: Identity, m: FaceMeasures, x: np.ndarray, y: np.ndarray, z: np.ndarray, cos: np.ndarray
) -> None:
    """Displace the swept surface in place: sockets, nose, lips, cheeks, chin."""
    s = identity.s
    front = smoothstep(0.0, 0.35, cos)
    # rows around the mouth follow the mouth line, so that the lips bend with it
    bend = smoothstep(1.9 * m.mouth_w, 1.0 * m.mouth_w, np.abs(x))
    y += front * bend * mouth_line(m, x) * np.exp(-(((y - m.mouth_y) / 0.10) ** 2))
    x0, y0 = x.copy(), y.copy()
    depth = np.zeros_like(z)

    t = (m.nose_top - y0) / (m.nose_top - m.nose_tip)
    projection = 0.24 + 0.038 * s("nose_tip")
    bridge = 0.07 + 0.026 * s("nose_bridge")
    ridge = bridge + (projection * 0.86 - bridge) * np.clip(t, 0, 1) ** 1.05
    ridge += 0.028 * s("nose_hump") * np.exp(-(((t - 0.42) / 0.2) ** 2))
    ridge *= smoothstep(-0.3, 0.15, t) * smoothstep(m.nose_base - 0.04, m.nose_tip + 0.04, y0)
    sigma = 0.066 + 0.013 * s("nose_bridge_width") + 0.028 * np.clip(t, 0, 1)
    bent = x0 - m.crook * np.exp(-(((t - 0.6) / 0.4) ** 2))
    depth += ridge * np.exp(-0.5 * (bent / sigma) ** 2)
    ball = 0.078 + 0.022 * s("nose_ball")
    depth += 0.16 * projection * bump(bent, y0, 0, m.nose_tip + 0.012, ball, 0.075)
    for side in (-1, 1):
        ala = 0.11 + 0.012 * s("nose_width")
        depth += ala * bump(x0, y0, side * (m.nose_w - 0.045), m.nose_base + 0.055, 0.046, 0.05)
        ey = m.eye_y + side * m.eye_asym
        socket = 0.075 + 0.02 * s("eye_depth")
        depth -= socket * bump(x0, y0, side * (m.eye_x - 0.02), ey + 0.015, 0.15, 0.095)
        depth += (0.05 + 0.012 * s("eye_bulge")) * bump(x0, y0, side * m.eye_x, ey - 0.005, 0.10, 0.062)
        depth += (0.03 + 0.022 * s("brow_ridge")) * bump(x0, y0, side * 0.27, m.brow_y - 0.02, 0.17, 0.06)
        cheek = 0.035 + 0.026 * s("cheek_bone")
        cheek_shape = bump(x0, y0, side * 0.47, -0.19 + 0.04 * s("cheek_y"), 0.15, 0.14)
        depth += cheek * cheek_shape
        x += side * 0.9 * cheek * cheek_shape * front
        hollow = 0.03 - 0.036 * s("cheek_fill")
        hollow_shape = bump(x0, y0, side * 0.48, -0.58, 0.14, 0.2)
        depth -= hollow * hollow_shape
        x -= side * 1.2 * hollow * hollow_shape * front
        depth -= 0.028 * bump(x0, y0, side * m.mouth_w, m.mouth_y + m.lip_curve, 0.05, 0.045)
        depth += 0.02 * bump(x0, y0, side * 0.26, -0.47, 0.09, 0.10)

    lips = 1 + 0.3 * s("lip_forward")
    span = np.exp(-0.5 * (x0 / (0.62 * m.mouth_w)) ** 2)
    relative = y0 - m.mouth_y
    depth += (0.045 * lips) * span * np.exp(-(((relative - 0.55 * m.lip_up) / (0.8 * m.lip_up)) ** 2))
    depth += (0.05 * lips) * span * np.exp(-(((relative + 0.55 * m.lip_low) / (0.75 * m.lip_low)) ** 2))
    depth -= 0.02 * span * np.exp(-((relative / 0.02) ** 2))
    depth -= 0.014 * bump(x0, y0, 0, 0.5 * (m.nose_base + m.mouth_y + m.lip_up), 0.03, 0.05)
    depth -= 0.03 * bump(x0, y0, 0, m.mouth_y - m.lip_low - 0.065, 0.16, 0.035)
    depth += (0.05 + 0.012 * s("chin_forward")) * bump(x0, y0, 0, m.chin_y + 0.12, 0.15, 0.09)
    depth -= 0.014 * max(0.0, s("chin_cleft")) * bump(x0, y0, 0, m.chin_y + 0.1, 0.025, 0.06)
    z += depth * front


@cache
def attachment() -> np.ndarray:
    """Return each row's weight (ROWS, 1) of the head's rotation: 1 on the head, falling along the neck."""
    rows = np.arange(ROWS, dtype=np.float32)[:, None]
    return 1 - smoothstep(row_of("under"), ROWS - 1, rows)
