"""Intervals of figures by resampling people: percentiles of a figure over draws of people with replacement."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import spearmanr

from benchmarks.quality.photographs.real_ladders import LadderFigures, Ladders, figures_of
from synfiqa.fiqa_train.evaluation.intervals import percentile_interval
from synfiqa.schemas.seeds import derive_seed, generator

Draws = dict[str, np.ndarray]
"""A figure by scorer: its value, then its values in the draws, float64 (1 + resamples,)."""


@dataclass(frozen=True)
class Figure:
    """A value with the bounds of its 95 % interval, NaN without draws."""

    value: float
    low: float
    high: float

    @staticmethod
    def of(draws: np.ndarray) -> "Figure":
        """Return the first of the draws with the interval of the others."""
        interval = percentile_interval(draws[1:])
        return Figure(float(draws[0]), interval.low, interval.high)

    def shown(self, digits: int = 3, sign: bool = False) -> str:
        """Return the value with its interval in brackets."""
        form = f"{'+' if sign else ''}.{digits}f"
        between = f" [{self.low:{form}}, {self.high:{form}}]" if np.isfinite(self.low) else ""
        return f"{self.value:{form}}{between}"


def drawn_people(people: np.ndarray, resamples: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows of each draw of people (N,) and the number of the drawn person of each row; first all rows.

    A person that is drawn twice has two numbers.
    """
    names = np.unique(people)
    rows = [np.flatnonzero(people == name) for name in names]
    rng = generator(derive_seed(seed, "people"))
    orders = [np.arange(len(names)), *(rng.integers(0, len(names), len(names)) for _ in range(resamples))]
    return [
        (
            np.concatenate([rows[one] for one in order]),
            np.repeat(np.arange(len(order)), [len(rows[one]) for one in order]),
        )
        for order in orders
    ]


def correlation_draws(
    qualities: dict[str, np.ndarray], other: np.ndarray, people: np.ndarray, resamples: int, seed: int
) -> Draws:
    """Return draws of Spearman's correlation of each scorer's scores (N,) with another value (N,) of the faces."""
    draws = drawn_people(people, resamples, seed)
    return {
        name: np.array([spearmanr(scores[rows], other[rows]).statistic for rows, _ in draws])
        for name, scores in qualities.items()
    }


def ladder_draws(
    ladders: Ladders, qualities: dict[str, np.ndarray], resamples: int, seed: int
) -> dict[str, list[LadderFigures]]:
    """Return the figures of each scorer on all faces of the ladders, then on draws of these faces."""
    draws = drawn_people(ladders.face, resamples, seed)
    return {
        name: [figures_of(_drawn(ladders, rows, faces), scores[rows]) for rows, faces in draws]
        for name, scores in qualities.items()
    }


def figure_draws(found: dict[str, list[LadderFigures]], figure: Callable[[LadderFigures], float]) -> Draws:
    """Return the draws of one figure of ladders."""
    return {name: np.array([figure(one) for one in figures]) for name, figures in found.items()}


def _drawn(ladders: Ladders, rows: np.ndarray, faces: np.ndarray) -> Ladders:
    return replace(
        ladders,
        crops=ladders.crops[:0],
        face=faces,
        fault=ladders.fault[rows],
        level=ladders.level[rows],
        similarity=ladders.similarity[rows],
    )
