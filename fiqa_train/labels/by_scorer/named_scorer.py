"""The scorer of `label.scorer`: its name and the digest of its weights, loaded once in each process that labels."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.model_store.selection import catalogue_of
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import require_of_image
from synfiqa.schemas.calibration import ScorerScale
from synfiqa.schemas.config.run import RunConfig

WHERE = "label.scorer"
"""Key of the scorer whose scores are the labels."""
BATCH = 32
"""Faces in one call of the scorer, within a shard."""

_loaded: dict[tuple[Any, ...], GuardedScorer] = {}
"""Scorers of this process: a task of a few shards does not load its network again."""


@dataclass(frozen=True)
class NamedScorer:
    """A scorer by name, the SHA-256 (hex) of the weights that it reads (empty for code alone), and its settings."""

    name: str
    weights: str
    settings: ScorerSettings

    @classmethod
    def of(cls, config: RunConfig, embedder: str, resolved: ResolvedRun | None = None) -> Self | None:
        """Return the scorer of a config, None where labels are fused; `embedder` is that of the run.

        No weights are read. UserError for a scorer that is unknown or depends on more than the image.
        """
        name = config.label.scorer
        if not name:
            return None
        require_of_image(name, WHERE, config.models.catalogue)
        catalogue = resolved.catalogue if resolved else catalogue_of(config.models)
        settings = ScorerSettings(catalogue, embedder, config.run.seed)
        return cls(name, scorer_digests([name], settings).get(name, ""), settings)

    def load(self) -> GuardedScorer:
        """Return the scorer; UserError where its weights are missing or its embedder lacks what it reads."""
        key = (self.name, self.weights, self.settings.embedder)
        if key not in _loaded:
            _loaded[key] = scorers_of([self.name], self.settings, {}, WHERE)[self.name]
        return _loaded[key]

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return finite float64 (N,), higher being better, of uint8 RGB faces (N, 112, 112, 3)."""
        scorer = self.load()
        batches = [scorer.score(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate([np.empty(0), *batches])

    @property
    def unfitted(self) -> ScorerScale:
        """Return the scorer as a scale records it, without the scale of its card; loads nothing."""
        return ScorerScale(name=self.name, weights=self.weights)

    @property
    def scale(self) -> ScorerScale:
        """Return the scorer as a scale records it, with the logistic scale of its card where that has one."""
        own = self.load().card.scale
        if own is None:
            return self.unfitted
        return self.unfitted.model_copy(update={"midpoint": own.midpoint, "width": own.width})
