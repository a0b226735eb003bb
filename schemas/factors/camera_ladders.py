"""Ladders of the profile `camera`: each factor alone from no effect, its first level, to the worst of a usual dataset.

Levels are applied strengths in the unit of their row. They belong to photographs, so the rendered benchmark, which
spoils crops, has none of them; `photograph_ladders` lists all in order.
"""

from synfiqa.schemas.factors.factor import Ladder, Signs
from synfiqa.schemas.recipe import Codec, Recipe, Shot

_QUALITIES = (100, 45, 20, 10, 5, 2)
_APART = 2.0  # of a second face, e
_READ_GAIN = 0.03  # of the dark picture whose read noise is seen
_READ_LIFT = 4.92  # back to its brightness: _READ_GAIN ** (-1 / 2.2)


def _with_shot(base: Recipe, **values: object) -> Recipe:
    return Recipe(**{**dict(base), "shot": Shot(**{**dict(base.shot or Shot()), **values})})


def _coded(name: str, codec: Codec, place: int) -> Ladder:
    return Ladder(name, _QUALITIES, place, put=lambda base, level, _: _with_shot(base, codec=codec, quality=level))


def _noisy_white(base: Recipe, level: float, _: Signs) -> Recipe:
    return _with_shot(base, noise=level, noise_kind="white")


def _read_out(base: Recipe, level: float, _: Signs) -> Recipe:
    return _with_shot(base, dark_noise=level, gain=_READ_GAIN, lift=_READ_LIFT) if level else base


def _cut_aside(base: Recipe, level: float, signs: Signs) -> Recipe:
    return _with_shot(base, cut=level, cut_side="right" if signs.side > 0 else "left") if level else base


def _cut_upright(base: Recipe, level: float, signs: Signs) -> Recipe:
    return _with_shot(base, cut=level, cut_side="bottom" if signs.nod > 0 else "top") if level else base


def _accompanied(base: Recipe, level: float, signs: Signs) -> Recipe:
    return _with_shot(base, second_face=level, second_x=_APART * signs.side)


GAIN = (
    Ladder("under-exposure", (1, 0.3, 0.12, 0.06, 0.03, 0.015), 101),
    Ladder("over-exposure", (1, 1.6, 2.5, 4, 6, 8), 102),
)
DEFOCUS = (Ladder("defocus", (0, 0.03, 0.08, 0.15, 0.25, 0.35), 103),)
BLUR = (Ladder("lens blur", (0, 0.015, 0.04, 0.08, 0.12, 0.18), 104),)
SHAKE = (Ladder("shake", (0, 0.06, 0.15, 0.3, 0.55, 0.9), 105),)
EYES = (Ladder("small face", (60, 22, 15, 10, 6, 4), 106),)
NOISE = (
    Ladder("noise of the sensor", (0, 8, 16, 30, 50, 80), 107),
    Ladder("white noise", (0, 8, 16, 30, 50, 80), 108, put=_noisy_white),
)
DARK_NOISE = (Ladder("read noise", (0, 0.3, 0.6, 1, 1.8, 3), 109, put=_read_out),)
HAZE = (Ladder("haze", (0, 0.2, 0.4, 0.6, 0.8, 0.95), 110),)
CONTRAST = (Ladder("low contrast", (1, 0.6, 0.4, 0.3, 0.2, 0.12), 111),)
GAMMA = (
    Ladder("darker tones", (1, 1.5, 2, 3, 4, 5), 112),
    Ladder("lighter tones", (1, 0.85, 0.7, 0.6, 0.5, 0.4), 113),
)
DISTORTION = (
    Ladder("barrel", (0, 0.05, 0.1, 0.18, 0.26, 0.35), 114),
    Ladder("cushion", (0, -0.03, -0.06, -0.09, -0.12, -0.149), 115),
)
QUALITY = (
    _coded("JPEG", "jpeg", 116),
    _coded("JPEG 2000", "jpeg2000", 117),
    _coded("WebP", "webp", 118),
)
PATCH = (Ladder("patch", (0, 0.25, 0.6, 1, 1.4, 1.8), 119),)
CUT = (
    Ladder("cut at a side", (0, 1.4, 0.9, 0.5, 0.25, 0.1), 120, put=_cut_aside),
    Ladder("cut above or below", (0, 1.4, 0.9, 0.5, 0.25, 0.1), 121, put=_cut_upright),
)
SECOND_FACE = (Ladder("second face", (0, 0.4, 0.55, 0.7, 0.85, 0.95), 122, put=_accompanied),)
HEAD = (Ladder("small head", (1, 0.85, 0.7, 0.55, 0.4, 0.3), 123),)
TURN = (Ladder("turned picture", (0, 10, 25, 45, 70, 95), 124, sign="turn"),)
