"""Teachers of a distillation: scores of a quality scorer on the scale of labels."""

from dataclasses import dataclass

import numpy as np

from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.quality.registry import SCORERS, require_known
from synfiqa.fiqa_train.training.engine.worker_task import Scores
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ScoreScale

STRETCH = (5.0, 95.0)
"""Percentiles of the validation samples that become 0 and 1 where a teacher's card has no scale."""
WHERE = "train.objective.teacher"


@dataclass(frozen=True)
class TeacherOf:
    """Builds a teacher on a worker: `name` of the scorer, settings of the run, and the samples that set its scale.

    `images` are uint8 RGB faces (N, 112, 112, 3); only their spread counts.
    """

    name: str
    settings: ScorerSettings

    def scaled(self, images: np.ndarray) -> Scores:
        """Return scores on 0..1: by the scale on the card, else so that the spread over `images` fills it."""
        scorer = scorers_of([self.name], self.settings, {}, WHERE)[self.name]
        sign = -1.0 if scorer.card.higher_is_better is False else 1.0
        scale = scorer.card.scale
        if scale is not None:
            return lambda faces: _logistic(sign * scorer.score(faces), scale)
        low, high = np.percentile(sign * scorer.score(images), STRETCH)
        return lambda faces: (sign * scorer.score(faces) - low) / max(high - low, 1e-9)


def require_teacher(name: str, catalogue: str) -> None:
    """Raise UserError when no scorer of that name can be a teacher: it needs a run, or is not known.

    `catalogue` is the path of `models.catalogue`.
    """
    require_known([name], WHERE, catalogue)
    if (row := SCORERS.get(name)) and not row.factory:
        raise UserError(f"{WHERE}: '{name}' is {row.supplied_by}, no scorer by itself: choose another teacher")


def _logistic(scores: np.ndarray, scale: ScoreScale) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(np.clip((scale.midpoint - scores) / scale.width, -60, 60)))
    return found
