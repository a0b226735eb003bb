"""One portrait to learn from, and the check of scores that every source of them shares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from synfiqa.actors.face3d.shape.face_points import POINTS
from synfiqa.schemas.errors import UserError

OUTSIDE = 0.1
"""Share of an image's side by which a landmark may lie outside: detectors place the jaw of a tight crop there."""


@dataclass(frozen=True, eq=False)
class PortraitItem:
    """A portrait: `image` uint8 RGB (H, W, 3), `landmarks` float32 (68, 2) x, y in its pixels, `score` as stored.

    `group` names the identity; where a set states none, each image has a group of its own. `degradation` holds the
    values of the operators as `synfiqa.actors.degradation.portrait` records them; empty for clean and for real images.
    `clean` is the same portrait without degradation where it is known and the score is the measure named `measure`,
    so that a training may degrade and score it anew.
    """

    name: str
    image: np.ndarray
    landmarks: np.ndarray
    score: float
    group: str
    degradation: Mapping[str, float] = field(default_factory=dict)
    clean: np.ndarray | None = None
    measure: str = ""


def landmark_fault(landmarks: np.ndarray, width: int, height: int) -> str:
    """Return what is wrong with the landmarks of an image of this size, "" for none."""
    if landmarks.shape != (POINTS, 2):
        return f"holds an array of shape {landmarks.shape}, not ({POINTS}, 2)"
    if landmarks.dtype.kind not in "fiu" or not np.isfinite(landmarks).all():
        return "holds landmarks that are not finite numbers"
    size = np.array([width, height])
    beyond = np.maximum(-0.5 - landmarks, landmarks - size + 0.5).max(axis=1) / size.max()
    worst = int(beyond.argmax())
    if beyond[worst] <= OUTSIDE:
        return ""
    x, y = landmarks[worst]
    return f"has landmark {worst} at ({x:.1f}, {y:.1f}), outside its image of {width} x {height} pixels"


def require_different_scores(scores: Iterable[float], where: str) -> None:
    """UserError when all scores of a set of two and more images are equal: nothing can be learned from them."""
    values = list(scores)
    if len(values) > 1 and min(values) == max(values):
        raise UserError(
            f"{where}: all {len(values)} scores are {values[0]:g}, so that no model can learn from them; "
            "choose another score, or correct the file"
        )
