"""Images of the benchmark for each identity: clean references, ladders of one factor each, and mixed probes.

All seeds derive from paths that begin with "benchmark". Runs derive those of their identities from "candidate", the
bundled networks from "bootstrap", so no network or label of this project is made from a person of the benchmark.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.fiqa_train.rendered_benchmark.operators import Operator
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.factors import ordered_ladders
from synfiqa.schemas.factors.factor import Signs
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import image_path
from synfiqa.schemas.seeds import derive_seed, generator

VERSION = 2
"""Version of ladders, strengths, pairs and operators; figures of two versions are not comparable."""

Role = Literal["reference", "probe"]

_ROWS = {ladder.name: (row, ladder) for row, ladder in ordered_ladders(lambda row: row.ladders)}
LADDERS: dict[str, tuple[float, ...]] = {name: ladder.levels for name, (_, ladder) in _ROWS.items()}
"""Levels of each factor from mild to severe, one probe each, everything else as in the identity's clean probe.

Degrees of yaw and pitch (to a side that the identity's seed chooses), strength of two expression units, harshness of a
light from one side or from behind, strength of a colour cast, exposure gain (dark, bright), distance of the camera in
head heights, coverage of the occluder, degrees of alignment error, pixels of a shake, sigma of blur in pixels,
side in pixels, sigma of noise in grey levels, JPEG quality.
"""

CLEAN, MIXED = "clean", "mixed"
"""Factors of the probe that every ladder starts from, and of probes with many factors at once."""

MIXTURE = DegradedSection(
    yaw_std=20,
    pitch_std=7,
    roll_std=7,
    expression_rate=0.4,
    harsh_light_rate=0.3,
    occluder_rate=0.25,
    scale_intervals=((0.82, 1.6), (1.6, 2.5), (2.5, 4.0), (4.0, 8.0)),
    scale_weights=(0.6, 0.2, 0.15, 0.05),
    jpeg_quality=(60, 90),
    motion_rate=0,
    noise_rate=0,
    exposure_rate=0,
    cast_rate=0,
    jpeg_rate=0,
    misalignment_rate=0,
    near_camera_rate=0,
)
"""Distribution of mixed probes; every value is written out, so that defaults of runs do not enter the benchmark."""

UNITS = (
    *("mouth_open", "smile", "brow_raise", "frown", "pucker", "inner_brow_raise"),
    *("squint", "nose_wrinkle", "corners_down", "lips_pressed", "eyes_closed"),
)


class Settings(BaseModel):
    """Settings of a benchmark: with equal code and libraries, equal settings make equal bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seed: int = Field(0, ge=0)
    identities: int = Field(100, ge=2, le=100_000)
    references: int = Field(4, ge=1, le=50, description="clean images per identity")
    mixed: int = Field(10, ge=0, le=500, description="probes per identity with many factors at once")
    impostors: int = Field(25, ge=1, description="other identities that each probe is compared with")
    factors: tuple[str, ...] = Field(tuple(LADDERS), description="ladders, in this order")

    @field_validator("factors")
    @classmethod
    def _known(cls, factors: tuple[str, ...]) -> tuple[str, ...]:
        if not set(factors) <= LADDERS.keys() or len(set(factors)) < len(factors):
            raise ValueError(f"factors are some of {', '.join(LADDERS)}, none twice")
        return factors


@dataclass(frozen=True)
class Frame:
    """One image to make: `step` is its place on its factor's ladder (0 off ladders, 1 mildest), `level` the strength.

    `path` is relative to the benchmark's folder.
    """

    path: str
    role: Role
    factor: str
    step: int
    level: float | None
    recipe: Recipe
    operator: Operator


def identity_seed(seed: int, number: int) -> int:
    """Return the seed of the person with this number, 0 .. identities - 1."""
    return derive_seed(seed, "benchmark", "identity", number)


def frames(settings: Settings, number: int) -> list[Frame]:
    """Return all images of one identity: references, the clean probe, ladders, mixed probes."""
    recipe_seed = derive_seed(settings.seed, "benchmark", "recipes")
    # The clean probe is a further reference, drawn last so that its recipe differs from theirs.
    *references, clean = reference_recipes(recipe_seed, number, settings.references + 1, "corrected")
    shown = [
        Frame(_path(number, "reference", index), "reference", CLEAN, 0, None, recipe, Operator())
        for index, recipe in enumerate(references)
    ]
    base = clean.model_copy(update={"kind": "degraded"})
    ladders = _ladders(base, settings.factors, derive_seed(settings.seed, "benchmark", "ladders", number))
    probes = [(CLEAN, 0, None, base, Operator()), *ladders]
    mixed = degraded_recipes(recipe_seed, number, settings.mixed, MIXTURE, "corrected")
    probes += [(MIXED, 0, None, recipe, Operator()) for recipe in mixed]
    return shown + [Frame(_path(number, "probe", index), "probe", *probe) for index, probe in enumerate(probes)]


def _ladders(
    base: Recipe, factors: tuple[str, ...], seed: int
) -> Iterator[tuple[str, int, float | None, Recipe, Operator]]:
    rng = generator(seed)
    side, nod, from_side = (int(sign) for sign in rng.choice([-1, 1], 3))
    units = tuple(str(unit) for unit in rng.permutation(UNITS)[:2])
    turn = int(rng.choice([-1, 1]))
    signs = Signs(side, nod, from_side, turn, units)
    for factor in factors:
        row, ladder = _ROWS[factor]
        for step, level in enumerate(ladder.levels, start=1):
            recipe = row.at_level(base, ladder, level, signs)
            operator = Operator(**{ladder.crop: level}) if ladder.crop else Operator()  # type: ignore[arg-type]
            yield factor, step, float(level), recipe, operator


def _path(number: int, role: Role, index: int) -> str:
    return f"data/{image_path(number, 'reference' if role == 'reference' else 'degraded', index)}"
