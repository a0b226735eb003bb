"""Detects glasses by thin frame lines on the aligned crop, without a network."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from synfiqa.schemas.model_card import ModelCard

if TYPE_CHECKING:
    from synfiqa.actors.model_store.execution import Execution

_LINE_REACH = 2
_BRIDGE = (slice(46, 58), (slice(53, 59),))
_LOWER_RIM = (slice(58, 66), (slice(34, 42), slice(69, 77)))

_ADDED = 80.0
"""Grey levels added to the brightness that lines are divided by, to weaken highlights on dark skin."""
_COLOUR = 3.0
"""Weight of differences to green relative to grey: highlights are grey, but few frames have the skin's colour."""
# Logistic regression on the logarithms of the two measures, fitted to 1,322 rendered heads with and without glasses, of
# every skin tone. Lines at the temples would separate rendered heads slightly better, but photographs have hair there.
_BIAS = 17.2
_WEIGHTS = np.array([4.26, 3.57])
_FLOOR = 2e-3
"""Added to a measure before its logarithm, so that no line and faint lines score alike."""


class LineGlasses:
    """`synfiqa.actors.roles.GlassesMeter` by thin lines on the aligned face; needs no weights."""

    def __init__(self, card: ModelCard, path: Path = Path(), running: "Execution | None" = None) -> None:
        self.name = card.name

    def score(self, images: Sequence[np.ndarray], landmarks: np.ndarray, aligned: np.ndarray) -> np.ndarray:
        """Return float32 (N,) in 0..1, above 0.5 for probable glasses, of aligned uint8 RGB (N, 112, 112, 3)."""
        return glasses_score(aligned)


def glasses_score(aligned: np.ndarray) -> np.ndarray:
    """Return float32 (N,) in 0..1, above 0.5 for probable glasses, of aligned uint8 RGB faces (N, 112, 112, 3).

    The features are horizontal lines of other brightness or colour where a bare face has none: over the nose bridge and
    under the eyes. Meant for near-frontal faces; heavy shadows, a smile's lids or deep folds can score alike.
    """
    if aligned.ndim != 4 or aligned.shape[1:] != (112, 112, 3) or aligned.dtype != np.uint8:
        raise ValueError(f"glasses_score takes uint8 (N, 112, 112, 3), not {aligned.dtype} {aligned.shape}")
    measures = np.array([line_measures(image) for image in aligned]).reshape(-1, 2)
    return (1 / (1 + np.exp(-_BIAS - np.log(measures + _FLOOR) @ _WEIGHTS))).astype(np.float32)


def line_measures(image: np.ndarray) -> np.ndarray:
    """Return (2,) strengths >= 0 of the strongest line at nose bridge and lower rims of uint8 RGB (112, 112, 3).

    They are measured in grey and colour, relative to the surrounding brightness.
    """
    red, green, blue = np.moveaxis(image.astype(np.float32), -1, 0)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    signals = np.stack([grey, _COLOUR * (red - green), _COLOUR * (blue - green)], axis=-1)
    relative = signals / (cv2.GaussianBlur(grey, (0, 0), 10) + _ADDED)[..., None]
    smooth = cv2.GaussianBlur(relative, (0, 0), 0.5)
    rows = np.pad(smooth, ((_LINE_REACH, _LINE_REACH), (0, 0), (0, 0)), mode="edge")
    lines = rows[: -2 * _LINE_REACH] + rows[2 * _LINE_REACH :] - 2 * smooth
    return np.array([_strongest(lines, *where) for where in (_BRIDGE, _LOWER_RIM)])


def _strongest(lines: np.ndarray, rows: slice, spans: tuple[slice, ...]) -> float:
    """Return the mean over the spans of the strongest line in each."""
    # Averaged along the span first, so that only lines along it add up.
    return float(np.mean([np.linalg.norm(lines[rows, span].mean(axis=1), axis=-1).max() for span in spans]))
