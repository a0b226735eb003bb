"""Factors of light: exposure, harshness, colour."""

import numpy as np

from synfiqa.schemas.factors.factor import Caption, Factor, Fault, Ladder, Severity, Shown, Signs, Values
from synfiqa.schemas.recipe import Light, Recipe

_DARK_BELOW, _BRIGHT_FROM = 0.5, 1.6  # gains below and from which an image counts as badly exposed
_DARK = ("UnderExposurePrevention", "LuminanceMean", "DynamicRange")


def _lit(base: Recipe, light: Light) -> Recipe:
    return Recipe(**{**dict(base), "light": light})


def _from_aside(base: Recipe, level: float, signs: Signs) -> Recipe:
    return _lit(base, Light(azimuth=signs.from_side * 70, elevation=20, harshness=level))


def _from_behind(base: Recipe, level: float, signs: Signs) -> Recipe:
    return _lit(base, Light(azimuth=signs.from_side * 150, elevation=20, harshness=level))


def _bundled_aside(base: Recipe, level: float, _: Signs) -> Recipe:
    return _lit(base, Light(azimuth=60, elevation=20, harshness=level))


def _bundled_dark(base: Recipe, level: float, _: Signs) -> Recipe:
    return _lit(base, Light(exposure=level))


def _aside(harshness: Values, azimuth: Values) -> Values:
    return harshness * np.abs(np.sin(np.radians(azimuth)))


EXPOSURE = Factor(
    field="light.exposure",
    title="Exposure",
    unit="linear gain",
    neutral=1.0,
    range=(0, 16),
    where="render",
    severities=(
        Severity("dark", ("light_exposure",), lambda gain: -np.log(gain), ofiq=_DARK),
        Severity("bright", ("light_exposure",), np.log, ofiq=("OverExposurePrevention", "LuminanceMean")),
    ),
    fault=Fault("exposure_rate", "exposure", (0.001, 16), "exposure", draw="exposure"),
    ladders=(
        Ladder("dark", (0.4, 0.15, 0.05, 0.015), place=6),
        Ladder("bright", (1.8, 2.6, 4.0), place=7),
    ),
    bundled=(Ladder("dark", (0.5, 0.2, 0.07, 0.03), place=11, put=_bundled_dark),),
    learnable=(0.1, 3.0),
    thresholds={"dark": _DARK_BELOW, "bright": _BRIGHT_FROM},
    shown=Shown("stops from well exposed", "exposure {:.2g}", lambda gain: not _DARK_BELOW <= gain <= _BRIGHT_FROM),
    iso="under-exposure prevention, over-exposure prevention",
)
HARSHNESS = Factor(
    field="light.harshness",
    title="Harsh light",
    unit="0 even to 1 hard",
    neutral=0.0,
    range=(0, 1),
    where="render",
    severities=(
        Severity("harsh_light", ("light_harshness",), ofiq=("IlluminationUniformity",)),
        Severity("harsh_light_aside", ("light_harshness", "light_azimuth"), _aside, ofiq=("IlluminationUniformity",)),
    ),
    ladders=(
        Ladder("sidelight", (0.4, 0.7, 1.0), place=3, put=_from_aside),
        Ladder("backlight", (0.4, 0.7, 1.0), place=4, put=_from_behind),
    ),
    bundled=(Ladder("harsh_light", (0.35, 0.7, 1.0), place=10, put=_bundled_aside),),
    # Classes of the whole light; the steps are those of the visible harshness.
    caption=Caption(
        "light",
        {
            "even": ("in even light", "in soft even light", "evenly lit"),
            "uneven": ("in slightly uneven light", "softly lit from one side"),
            "harsh": ("in harsh light", "with hard shadows", "lit from one side"),
            "back": ("against the light", "lit from behind"),
            "dark": ("in the dark", "underexposed", "in very little light"),
            "bright": ("overexposed", "in glaring light"),
        },
        steps=(("even", 0.25), ("uneven", 0.45)),
        beyond="harsh",
    ),
    thresholds={"behind": 115.0},  # degrees between the key light and the camera
    shown=Shown("light harshness, 0 even to 1 hard", "harsh light {:.1f}", lambda harshness: harshness >= 0.5),
    iso="illumination uniformity",
)
CAST = Factor(
    field="light.cast",
    title="Coloured light",
    unit="strength",
    neutral=0.0,
    range=(0, 1),
    where="render",
    severities=(Severity("light_cast", ("light_cast",), ofiq=("NaturalColour",)),),
    fault=Fault("cast_rate", "cast", (0.01, 1), "cast"),
    ladders=(Ladder("cast", (0.3, 0.6, 1.0), place=5),),
    caption=Caption(
        "colour",
        {"natural": (), "tinted": ("with a colour cast", "in coloured light")},
        steps=(("natural", 0.3),),
        beyond="tinted",
    ),
    shown=Shown("strength of the cast", "colour cast {:.1f}", lambda cast: cast > 0),
    iso="natural colour",
)
