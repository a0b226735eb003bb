"""Bars of detection: MTCNN with its default thresholds on references and on degraded portraits.

Portraits are rendered at the size at which faces are detected, as in a run with that `portrait_size`. The fall-off is
measured at 128 pixels, the default.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from benchmarks.quality.face_bars.arithmetic import largest_fall, largest_rise
from benchmarks.quality.face_bars.bar import Bar
from benchmarks.quality.face_bars.ladders.people import base_recipe, person, references
from benchmarks.quality.face_bars.settings import Settings, spread
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.schemas.recipe import Pose, Recipe

SUBJECT = "detection"
SIZES = (112, 128, 192, 256)
POINTS = ("image-left eye", "image-right eye", "nose", "left mouth corner", "right mouth corner")
FALL_SIZE = 128
YAWS = (0, 20, 40, 60, 75, 90)
SIGMAS = (0, 1, 2, 3, 4, 6, 8)
SIDES = (128, 64, 48, 32, 24, 16, 12)
COVERAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
COVERS = ("mask", "scarf", "hand")
RISE = 0.06
"""Largest rise in the fall-off of the feasibility study (yaw 60 to 75, 16 people a cell)."""


@dataclass(frozen=True)
class DetectedFace:
    """Result of MTCNN on one portrait: probability (0: no face) and landmark errors (5,) over the eye distance."""

    probability: float
    error: np.ndarray


def measure(settings: Settings) -> list[Bar]:
    """Return the share found and the landmark error at each size, and the fall of the share along each factor."""
    rows = spread(_references, [(settings.seed, number) for number in range(settings.faces)], settings.processes)
    bars = [bar for column, size in enumerate(SIZES) for bar in _at_size(size, [row[column] for row in rows])]
    count = min(settings.per_cell, settings.faces)
    cells = spread(_degraded, [(settings.seed, number) for number in range(count)], settings.processes)
    probability = {name: np.array([cell[name] for cell in cells]) for name in cells[0]}
    return bars + [bar for name, found in probability.items() for bar in _fall_off(name, found)]


def _at_size(size: int, found: list[DetectedFace]) -> list[Bar]:
    probability = np.array([entry.probability for entry in found])
    errors = np.stack([entry.error for entry in found if entry.probability > 0] or [np.full(5, np.nan)])
    each = ", ".join(f"{name} {error:.3f}" for name, error in zip(POINTS, errors.mean(0), strict=True))
    people = f"{len(found)} references, least probability {probability.min():.3f}"
    return [
        Bar(SUBJECT, f"found at {size} px", float((probability > 0).mean()), 0.995, ">=", note=people),
        Bar(SUBJECT, f"landmark error / eye distance at {size} px", float(errors.mean()), 0.08, note=each),
    ]


LARGEST_FALL = {"yaw": 0.44, "blur": 0.63, "mask": 0.06}
"""Largest fall between neighbouring levels in the feasibility study, the limit of ours."""
LEVELS: dict[str, tuple[float, ...]] = {
    "yaw": YAWS,
    "blur": SIGMAS,
    "resolution": SIDES,
    **dict.fromkeys(COVERS, COVERAGES),
}


def _fall_off(name: str, probability: np.ndarray) -> list[Bar]:
    """Return the bars of one factor from probabilities (people, levels)."""
    shares = (probability > 0).mean(0)
    levels = LEVELS[name]
    shown = "  ".join(f"{level:g}: {share:.2f}" for level, share in zip(levels, shares, strict=True))
    means = " ".join(f"{value:.2f}" for value in probability.mean(0))
    bars = [Bar(SUBJECT, f"{name}: largest rise of the share found", largest_rise(shares), RISE, note=shown)]
    fall = Bar(SUBJECT, f"{name}: largest fall of the share found", largest_fall(shares), note=f"mean p {means}")
    if name in LARGEST_FALL:
        fall = Bar(SUBJECT, fall.name, fall.value, LARGEST_FALL[name], note=fall.note)
    bars.append(fall)
    at = dict(zip(levels, shares.tolist(), strict=True))
    if name == "yaw":
        bars += [
            Bar(SUBJECT, "yaw 40: share found", at[40], 0.95, ">="),
            Bar(SUBJECT, "yaw 90: share found", at[90], 0.8),
        ]
    if name == "blur":
        bars += [
            Bar(SUBJECT, "blur sigma 3: share found", at[3], 0.95, ">="),
            Bar(SUBJECT, "blur sigma 8: share found", at[8], 0.3),
        ]
    return bars


@cache
def _tools() -> tuple[HeadRenderer, MtcnnDetector]:
    return HeadRenderer(), MtcnnDetector()


def detected(image: np.ndarray, landmarks: np.ndarray) -> DetectedFace:
    """Detect the face of a portrait uint8 RGB (S, S, 3) whose true landmarks are (5, 2) pixels."""
    (face,) = _tools()[1].detect([image])
    if face is None:
        return DetectedFace(0.0, np.full(5, np.nan))
    distance = np.linalg.norm(landmarks[0] - landmarks[1])
    return DetectedFace(face.probability, np.linalg.norm(face.landmarks - landmarks, axis=1) / distance)


def _references(job: tuple[int, int]) -> list[DetectedFace]:
    """Detect one person's first reference at each of `SIZES`."""
    recipe, someone = references(*job, 1), person(*job)
    found = []
    for size in SIZES:
        shown = _tools()[0].render(someone, recipe, size)
        found.append(detected(shown.images[0], shown.landmarks[0]))
    return found


def _degraded(job: tuple[int, int]) -> dict[str, list[float]]:
    """Return the probability of one person's face at each level of each factor."""
    base = base_recipe(*job)
    rendered = {"yaw": [base.model_copy(update={"pose": Pose(yaw=yaw)}) for yaw in YAWS]}
    rendered |= {kind: [_covered(base, kind, coverage) for coverage in COVERAGES] for kind in COVERS}
    pictures = {name: list(_shown(job, recipes)) for name, recipes in rendered.items()}
    clean = pictures["yaw"][0]
    pictures["blur"] = [cv2.GaussianBlur(clean, (0, 0), sigma) if sigma else clean for sigma in SIGMAS]
    small = [cv2.resize(clean, (side, side), interpolation=cv2.INTER_AREA) for side in SIDES]
    size = (FALL_SIZE, FALL_SIZE)
    pictures["resolution"] = [cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) for image in small]
    detector = _tools()[1]
    return {
        name: [face.probability if face else 0.0 for face in detector.detect(images)]
        for name, images in sorted(pictures.items(), key=lambda item: list(LEVELS).index(item[0]))
    }


def _covered(base: Recipe, kind: str, coverage: float) -> Recipe:
    return base.model_copy(update={"occluder": kind, "occluder_coverage": coverage}) if coverage else base


def _shown(job: tuple[int, int], recipes: list[Recipe]) -> np.ndarray:
    return _tools()[0].render(person(*job), recipes, FALL_SIZE).images
