"""Scales of the scores of portraits on which a network of DSL-FIQA is trained."""

from typing import Literal

import numpy as np

Kind = Literal["range", "ranks"]


class TargetScale:
    """Maps scores to 0..1 by those of the training: linearly from lowest to highest, or by the share that is lower.

    Ranks serve scores that crowd at one end, such as similarities to a clean portrait, since a Charbonnier loss hardly
    sees differences among them; agreement by Spearman is the same.
    """

    def __init__(self, scores: np.ndarray, kind: Kind) -> None:
        self._sorted, self._kind = np.sort(np.asarray(scores, np.float64)), kind

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return scores (N,) scaled, float32; by range, others than those of the training may lie beyond 0..1."""
        if self._kind == "ranks":
            places = [np.searchsorted(self._sorted, scores, side) for side in ("left", "right")]
            return (np.mean(places, axis=0) / len(self._sorted)).astype(np.float32)
        low, high = self._sorted[[0, -1]]
        return ((scores - low) / (high - low)).astype(np.float32)
