"""The table of degradation factors: one row each, read by sampler, captions, labels, ladders, report and docs."""

from collections.abc import Callable, Sequence

from synfiqa.schemas.factors.capture import BLUR, DISTANCE, DOWNSAMPLE, JPEG, MISALIGNMENT, MOTION, NOISE
from synfiqa.schemas.factors.face import EXPRESSION, GAZE, PITCH, ROLL, YAW
from synfiqa.schemas.factors.factor import Factor, Ladder
from synfiqa.schemas.factors.light import CAST, EXPOSURE, HARSHNESS
from synfiqa.schemas.factors.rules import check_factors
from synfiqa.schemas.factors.surroundings import BACKGROUND, OCCLUDER

FACTORS: tuple[Factor, ...] = (
    *(YAW, PITCH, ROLL),
    *(DOWNSAMPLE, BLUR, MOTION, NOISE, JPEG),
    *(EXPOSURE, HARSHNESS, CAST),
    *(DISTANCE, MISALIGNMENT),
    *(EXPRESSION, GAZE),
    *(OCCLUDER, BACKGROUND),
)
"""All rows. Their order is that of the severities, which fitted labels store: new ones go to the end."""

check_factors(FACTORS)


def ordered_ladders(of: Callable[[Factor], Sequence[Ladder]]) -> list[tuple[Factor, Ladder]]:
    """Return each ladder of one use with its row, by place."""
    return sorted(((row, ladder) for row in FACTORS for ladder in of(row)), key=lambda pair: pair[1].place)


def after_rendering() -> tuple[Factor, ...]:
    """Return the rows that act on the aligner, the crop or its file."""
    return tuple(row for row in FACTORS if row.where != "render")
