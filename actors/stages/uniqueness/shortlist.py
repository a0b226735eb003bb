"""Keeps the rows that may hold the largest cosine of each candidate, of scores whose errors are bounded."""

import numpy as np


class Shortlist:
    """Rows, of any number of blocks, that may hold the largest cosine of each of N candidates.

    Each block brings scores and `slack`, the most by which a score may differ from the cosine as
    `synfiqa.actors.stages.uniqueness.exact` defines it. The largest cosine is then at least the largest of all
    score - slack, and rows with score + slack below that are out.
    """

    def __init__(self, candidates: int) -> None:
        self._least = np.full(candidates, -np.inf)
        self._candidates: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._most: list[np.ndarray] = []

    def add(self, scores: np.ndarray, first: int, slack: np.ndarray, scale: np.ndarray | float = 1.0) -> None:
        """Take over float32 scores (N, M) of the rows from `first` on; cosines are scores * `scale` (N,), above 0."""
        scale = np.broadcast_to(np.asarray(scale, np.float64), slack.shape)
        self._least = np.maximum(self._least, scores.max(axis=1) * scale - slack)
        # One float32 lower, so that rounding drops no row.
        lowest = np.nextafter(((self._least - slack) / scale).astype(np.float32), np.float32(-np.inf))
        # One index and a division: numpy searches a plane much more slowly than a line.
        candidates, rows = np.divmod(np.flatnonzero(scores >= lowest[:, None]), scores.shape[1])
        self._candidates.append(candidates)
        self._rows.append(rows + first)
        self._most.append(scores[candidates, rows] * scale[candidates] + slack[candidates])

    def rows(self) -> list[np.ndarray]:
        """Return for each candidate the numbers (K,) of the rows that may hold its largest cosine."""
        candidates, rows = np.concatenate(self._candidates), np.concatenate(self._rows)
        near = np.concatenate(self._most) >= self._least[candidates] - 1e-12
        candidates, rows = candidates[near], rows[near]
        order = np.argsort(candidates, kind="stable")
        ends = np.searchsorted(candidates[order], np.arange(1, len(self._least)))
        return np.split(rows[order], ends)
