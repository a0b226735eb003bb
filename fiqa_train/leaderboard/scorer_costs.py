"""Speed of quality scorers: faces a second one by one and in batches, and processor time of a face."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch

from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.schemas.leaderboard_result import ScorerCost

CALL, MOST_IN_BATCH = 8, 4
"""Faces of one call of a network, which is padded for fewer, and most such calls in a batch."""
BUDGET_S, QUICK_BUDGET_S = 4.0, 1.0
"""Seconds of each of the two measurements of a scorer; one call is made in any case."""
MOST_CALLS = 32


def costs_of(scorers: Mapping[str, GuardedScorer], faces: np.ndarray, *, quick: bool = False) -> list[ScorerCost]:
    """Return the costs of scorers on this machine, on uint8 RGB faces (N, 112, 112, 3), N at least 1.

    Times are medians of calls after one that does not count. Processor time is summed over the threads of the process.
    """
    budget = QUICK_BUDGET_S if quick else BUDGET_S
    phase = Phase("costs", len(scorers), "scorers")
    found = []
    for name, scorer in scorers.items():
        call = _call_of(scorer)
        call(faces[:1])
        single, _ = _seconds(lambda call=call: call(faces[:1]), budget)  # type: ignore[misc]
        batch = CALL * int(np.clip(budget / single, 1, MOST_IN_BATCH))
        many = np.concatenate([faces] * -(-batch // len(faces)))[:batch]
        wall, processor = _seconds(lambda call=call, many=many: call(many), budget)  # type: ignore[misc]
        found.append(
            ScorerCost(
                scorer=name,
                threads=torch.get_num_threads(),
                single_per_s=round(1 / single, 3),
                batch=batch,
                batch_per_s=round(batch / wall, 3),
                cpu_ms=round(1000 * processor / batch, 4),
            )
        )
        phase.advance()
    phase.close()
    return found


def _call_of(scorer: GuardedScorer) -> Callable[[np.ndarray], object]:
    """Return the call that is timed: of a scorer of portraits with the cut of each portrait."""
    if not scorer.takes_portraits:
        return scorer.score
    return lambda faces: scorer.score_faces(list(faces), [ARCFACE_TEMPLATE] * len(faces))


def _seconds(call: Callable[[], object], budget: float) -> tuple[float, float]:
    """Return the median seconds of a call, and its median processor seconds."""
    walls: list[float] = []
    processors: list[float] = []
    ends = time.perf_counter() + budget
    while len(walls) < MOST_CALLS and (not walls or time.perf_counter() < ends):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return max(median(walls), 1e-9), median(processors)
