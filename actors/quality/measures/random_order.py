"""Random scores: the baseline that knows no image. Discarding by them is random, so that pAUC is about 1."""

from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.seeds import derive_seed, generator


class RandomOrder:
    """A `QualityScorer` of numbers drawn evenly from 0..1 by the seed of its card (`arguments.seed`).

    Images of one instance are numbered across calls, so that scores do not depend on the sizes of batches.
    """

    def __init__(self, card: ModelCard, path: Path | None = None, running: Execution | None = None) -> None:
        self.card = card
        self._generator = generator(derive_seed(int(card.arguments.get("seed", 0)), "random-quality"))

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return the next float64 (N,) of the sequence."""
        return self._generator.random(len(images))
