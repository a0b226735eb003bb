"""Ladders of ten levels for each factor, from clean to the worst of a dataset, all other factors clean.

The recipe commands a level, so that label components are those of a run; factors outside of recipes (gamma, a block
over the face) change the aligned crop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.face_bars.ladders import crop_changes
from benchmarks.quality.face_bars.ladders.people import USUAL_DISTANCE
from synfiqa.schemas.recipe import Expression, Light, Pose, Recipe

STEPS = 10
Command = Callable[[Recipe, float], Recipe]
Change = Callable[[np.ndarray, float, int], np.ndarray]


@dataclass(frozen=True)
class Factor:
    """A ladder: its levels, each made by a change of the recipe (`command`) or of the crop (`change`)."""

    name: str
    levels: tuple[float, ...]
    unit: str
    command: Command | None = None
    change: Change | None = None

    def recipe(self, base: Recipe, level: float) -> Recipe:
        """Return the base recipe at that level."""
        return self.command(base, level) if self.command else base

    def crop(self, crop: np.ndarray, level: float, seed: int) -> np.ndarray:
        """Return the aligned crop uint8 RGB (112, 112, 3) at that level; the seed decides noise and angles."""
        return self.change(crop, level, seed) if self.change and level != self.levels[0] else crop


def _field(name: str) -> Command:
    return lambda base, level: base.model_copy(update={name: level})


def _pose(axis: str) -> Command:
    return lambda base, level: base.model_copy(update={"pose": Pose(**{axis: level})})


def _expression(unit: str) -> Command:
    return lambda base, level: base.model_copy(update={"expression": Expression(**{unit: level})})


def _light(field: str) -> Command:
    return lambda base, level: base.model_copy(update={"light": base.light.model_copy(update={field: level})})


def _hard_light(base: Recipe, level: float) -> Recipe:
    return base.model_copy(update={"light": Light(azimuth=60, elevation=20, harshness=level)})


def _jpeg(base: Recipe, level: float) -> Recipe:
    return base.model_copy(update={"jpeg_quality": round(level)})


def _cover(kind: str) -> Command:
    def command(base: Recipe, level: float) -> Recipe:
        return base.model_copy(update={"occluder": kind, "occluder_coverage": level}) if level else base

    return command


_ANGLES = tuple(float(angle) for angle in range(0, 91, 10))
_NODS = tuple(float(angle) for angle in range(0, 46, 5))
_SHARES = tuple(round(step / 9, 3) for step in range(10))
_SCALES = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
_DISTANCES = (USUAL_DISTANCE, 4.5, 3.5, 2.9, 2.5, 2.1, 1.8, 1.6, 1.4, 1.3)
_GAMMAS = (1.0, 1.15, 1.35, 1.6, 1.9, 2.3, 2.7, 3.2, 3.7, 4.5)

FACTORS: dict[str, Factor] = {
    factor.name: factor
    for factor in (
        Factor("yaw", _ANGLES, "degrees", _pose("yaw")),
        Factor("pitch up", _NODS, "degrees", _pose("pitch")),
        Factor("pitch down", tuple(-angle for angle in _NODS), "degrees", _pose("pitch")),
        Factor("blur", _SCALES, "b", _field("blur")),
        Factor("resolution", _SCALES, "s", _field("downsample")),
        Factor("motion", (0, 3, 6, 9, 12, 15, 18, 21, 24, 27), "px", _field("motion")),
        Factor("noise", (0, 4, 8, 14, 20, 28, 38, 50, 64, 80), "grey levels", _field("noise")),
        Factor("jpeg", (95, 70, 50, 35, 25, 18, 13, 9, 6, 4), "quality", _jpeg),
        Factor("dark", (1, 0.8, 0.62, 0.48, 0.37, 0.28, 0.21, 0.15, 0.1, 0.06), "exposure", _light("exposure")),
        Factor("bright", (1, 1.2, 1.45, 1.75, 2.1, 2.5, 2.9, 3.3, 3.6, 4), "exposure", _light("exposure")),
        Factor("hard light", _SHARES, "harshness from 60 degrees", _hard_light),
        Factor("colour cast", _SHARES, "strength", _light("cast")),
        Factor("near camera", _DISTANCES, "head heights", _field("camera_distance")),
        Factor("mask", _SHARES, "coverage", _cover("mask")),
        Factor("scarf", _SHARES, "coverage", _cover("scarf")),
        Factor("hand", _SHARES, "coverage", _cover("hand")),
        Factor("hat", _SHARES, "coverage", _cover("hat")),
        Factor("hair", _SHARES, "coverage", _cover("hair")),
        Factor("object", _SHARES, "coverage", _cover("object")),
        Factor(
            "block from below",
            (0, 0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64, 0.72),
            "share of the height",
            change=crop_changes.covered_from_below,
        ),
        Factor("misaligned", _ANGLES, "degrees in the plane", _field("misalignment")),
        Factor("mouth open", _SHARES, "strength", _expression("mouth_open")),
        Factor("smile", _SHARES, "strength", _expression("smile")),
        Factor("eyes closed", _SHARES, "strength", _expression("eyes_closed")),
        Factor("gamma darker", _GAMMAS, "gamma", change=crop_changes.with_gamma),
        Factor("gamma lighter", tuple(1 / gamma for gamma in _GAMMAS), "gamma", change=crop_changes.with_gamma),
    )
}
"""Ladders by name, ten levels each."""
