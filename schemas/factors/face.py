"""Factors of the head: pose, expression, gaze."""

import numpy as np

from synfiqa.schemas.factors.factor import Caption, Factor, Ladder, Severity, Shown, Signs
from synfiqa.schemas.recipe import Expression, Recipe


def _components(unit: str) -> tuple[str, ...]:
    named = {"mouth_open": "MouthClosed", "eyes_closed": "EyesOpen", "squint": "EyesOpen"}
    return ("ExpressionNeutrality", *([named[unit]] if unit in named else []))


def _expressive(base: Recipe, level: float, signs: Signs) -> Recipe:
    expression = Expression(**dict.fromkeys(signs.units, level))
    return Recipe(**{**dict(base), "expression": expression})


YAW = Factor(
    field="pose.yaw",
    title="Head turn",
    unit="degrees",
    neutral=0.0,
    range=(-100, 100),
    where="render",
    measured="measured_yaw",
    severities=(Severity("yaw", ("measured_yaw",), np.abs, ofiq=("HeadPoseYaw",)),),
    ladders=(Ladder("yaw", (15, 30, 45, 60, 75), place=0, sign="side"),),
    bundled=(Ladder("yaw", (0, 15, 30, 45, 60, 75, 90), place=0),),
    learnable=(0.0, 80.0),
    caption=Caption(
        "pose",
        {
            "frontal": ("facing the camera", "seen from the front", "in frontal view"),
            "three-quarter": ("in three-quarter view", "turned partly away", "with the head turned"),
            "profile": ("in profile", "seen from the side", "in side view"),
        },
        steps=(("frontal", 20.0), ("three-quarter", 55.0)),
        beyond="profile",
    ),
    shown=Shown("measured |yaw|, degrees", "yaw {:z.0f}°", lambda yaw: yaw == yaw),  # not NaN
    iso="head pose (yaw)",
)
PITCH = Factor(
    field="pose.pitch",
    title="Nod",
    unit="degrees",
    neutral=0.0,
    range=(-60, 60),
    where="render",
    severities=(Severity("pitch", ("pitch",), np.abs, ofiq=("HeadPosePitch",)),),
    ladders=(Ladder("pitch", (10, 20, 30), place=1, sign="nod"),),
    bundled=(Ladder("pitch", (-30, -15, 15, 30), place=1),),
    caption=Caption(
        "tilt",
        {
            "level": (),
            "up": ("looking up", "with the chin raised"),
            "down": ("looking down", "with the chin lowered"),
        },
    ),
    thresholds={"tilted": 15.0},
    iso="head pose (pitch)",
)
ROLL = Factor(
    field="pose.roll",
    title="Head tilt",
    unit="degrees",
    neutral=0.0,
    range=(-180, 180),
    where="render",
    severities=(Severity("roll", ("roll",), np.abs, ofiq=("HeadPoseRoll",)),),
    iso="head pose (roll)",
)
EXPRESSION = Factor(
    field="expression",
    title="Expression",
    unit="strength of a unit",
    neutral=0.0,
    range=(0, 1),
    where="render",
    severities=tuple(Severity(unit, (unit,), ofiq=_components(unit)) for unit in Expression.model_fields),
    ladders=(Ladder("expression", (0.35, 0.7, 1.0), place=2, put=_expressive),),
    caption=Caption(
        "expression",
        {
            "neutral": ("with a neutral expression", "with a relaxed face", "with a calm face"),
            "mouth_open": ("with an open mouth", "with the mouth open"),
            "smile": ("smiling", "with a smile"),
            "brow_raise": ("with raised brows", "looking surprised"),
            "frown": ("frowning", "with a frown"),
            "pucker": ("with pursed lips", "puckering the lips"),
            "inner_brow_raise": ("looking worried", "with the inner brows raised"),
            "squint": ("squinting", "with narrowed eyes"),
            "nose_wrinkle": ("wrinkling the nose", "with a wrinkled nose"),
            "corners_down": ("looking sad", "with the mouth corners down"),
            "lips_pressed": ("with pressed lips", "pressing the lips together"),
            "eyes_closed": ("with closed eyes", "with the eyes shut"),
        },
    ),
    thresholds={"visible": 0.3},
    iso="expression neutrality, eyes open, mouth closed",
)
GAZE = Factor(
    field="gaze",
    title="Gaze",
    unit="degrees",
    neutral=0.0,
    range=(-35, 35),
    where="render",
    severities=(Severity("gaze", ("gaze_yaw", "gaze_pitch"), np.hypot),),
)
