"""Teachers of a distillation: scores of one quality scorer, or the mean of several, on the scale of labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import SCORERS, require_known
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.checkpoints import PORTRAITS, load_trained
from synfiqa.fiqa_train.training.engine.worker_task import Scores
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ScoreScale

STRETCH = (5.0, 95.0)
"""Percentiles of the validation samples that become 0 and 1 where a teacher's card has no scale, or of a mean."""
WHERE = "train.objective.teacher"
MODEL = "models/"
"""Beginning of a teacher's name that is a finished model of the run, such as models/default."""


@dataclass(frozen=True)
class TeacherOf:
    """Builds teachers on a worker: names of the scorers, settings of the run, and the samples that set their scale.

    `url` is that of the run, whose finished models are named by `models/NAME`.
    """

    names: tuple[str, ...]
    settings: ScorerSettings
    url: str = ""

    def scaled(self, images: np.ndarray) -> Scores:
        """Return scores on 0..1, of several teachers the mean of their standardised scores.

        That of one is by the scale on its card where it has one. Else the spread over `images`, uint8 RGB faces
        (N, 112, 112, 3), fills 0..1; only their spread counts.
        """
        teachers = [self._scorer(name) for name in self.names]
        rising = [_rising(scorer) for scorer in teachers]
        scale = teachers[0].card.scale
        if len(teachers) == 1 and scale is not None:
            return lambda faces: _logistic(rising[0](faces), scale)
        found = [scores(images) for scores in rising]
        # One teacher keeps its own unit, which the stretch takes away.
        units = [(0.0, 1.0)] if len(found) == 1 else [(float(one.mean()), max(float(one.std()), 1e-9)) for one in found]
        low, high = np.percentile(_mean(found, units), STRETCH)
        return lambda faces: (_mean([scores(faces) for scores in rising], units) - low) / max(high - low, 1e-9)

    def _scorer(self, name: str) -> GuardedScorer:
        if not name.startswith(MODEL):
            return scorers_of([name], self.settings, {}, WHERE)[name]
        model = load_trained(Storage(self.url), name.removeprefix(MODEL), self.settings.device)
        return GuardedScorer(name, NetworkScorer(model))


def require_teachers(names: Sequence[str], catalogue: str) -> None:
    """Raise UserError when no scorer of one of the names can be a teacher: it needs a run, or is not known.

    `catalogue` is the path of `models.catalogue`. Models of the run are looked up when a training begins.
    """
    for name in scorers_among(names):
        require_known([name], WHERE, catalogue)
        if (row := SCORERS.get(name)) and not row.factory:
            raise UserError(f"{WHERE}: '{name}' is {row.supplied_by}, no scorer by itself: choose another teacher")


def scorers_among(names: Sequence[str]) -> list[str]:
    """Return the names that are no models of the run."""
    return [name for name in names if not name.startswith(MODEL)]


def teacher_digests(names: Sequence[str], settings: ScorerSettings, storage: Storage | None) -> dict[str, str]:
    """Return the digests of the weights that teachers read, by name; UserError for a model that is not finished."""
    digests = scorer_digests(scorers_among(names), settings)
    for name in (one for one in names if one.startswith(MODEL)):
        if storage is None:
            raise UserError(f"{WHERE}: {name} is a model of a run: train on that run")
        card = load_trained(storage, name.removeprefix(MODEL)).card
        if card.architecture == PORTRAITS:
            raise UserError(f"{WHERE}: {name} scores portraits, not aligned faces: choose another teacher")
        digests[name] = card.sha256
    return digests


def _rising(scorer: GuardedScorer) -> Scores:
    """Return scores that are higher for better faces."""
    sign = -1.0 if scorer.card.higher_is_better is False else 1.0
    return lambda faces: sign * scorer.score(faces)


def _mean(several: Sequence[np.ndarray], units: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return the mean (N,) of scores (N,) of several teachers, each less its mean and by its standard deviation."""
    standard = [(scores - mean) / spread for scores, (mean, spread) in zip(several, units, strict=True)]
    found: np.ndarray = np.mean(standard, axis=0)
    return found


def _logistic(scores: np.ndarray, scale: ScoreScale) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(np.clip((scale.midpoint - scores) / scale.width, -60, 60)))
    return found
