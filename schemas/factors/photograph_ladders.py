"""All ladders of photographs (`profile: camera`) in order: those of the camera, then of things that are worn.

Worn things of the rendered benchmark have ladders there. These are the ones it lacks, kept out of the row `OCCLUDER`,
whose ladders are the benchmark's images.
"""

from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.factors.factor import Factor, Ladder, Signs
from synfiqa.schemas.factors.rules import check_factors
from synfiqa.schemas.factors.surroundings import OCCLUDER
from synfiqa.schemas.recipe import Occluder, Recipe

_COVERAGES = (0, 0.02, 0.25, 0.5, 0.75, 1)  # 0: nothing is worn


def _worn(kind: Occluder, place: int) -> Ladder:
    def put(base: Recipe, level: float, _: Signs) -> Recipe:
        return Recipe(**{**dict(base), "occluder": kind, "occluder_coverage": level}) if level else base

    return Ladder(kind, _COVERAGES, place, put=put)


WORN_LADDERS: tuple[Ladder, ...] = (
    _worn("glare", 125),
    _worn("hijab", 126),
    _worn("hood", 127),
    _worn("headphones", 128),
)
"""Ladders of worn things by coverage, 0 being none."""

PHOTOGRAPH_LADDERS: tuple[tuple[Factor, Ladder], ...] = (
    *((row, ladder) for row in CAMERA_FACTORS for ladder in row.ladders),
    *((OCCLUDER, ladder) for ladder in WORN_LADDERS),
)
"""Each ladder with the row whose factor it varies."""

check_factors(CAMERA_FACTORS)
