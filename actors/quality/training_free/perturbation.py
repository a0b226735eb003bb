"""Quality as the stability of an embedding under small changes of the face: the pseudo-label of FROQ as a scorer."""

import numpy as np

from synfiqa.actors.quality.training_free.froq.pseudo_labels import LabelSettings, pseudo_labels
from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.schemas.model_card import ModelCard


class Perturbation:
    """A `QualityScorer` of FROQ's pseudo-label: mean of the cosines under mirroring, occlusion and noise.

    `arguments.seed` is that of the noise. It costs 76 forward passes a face.
    """

    def __init__(self, card: ModelCard, recogniser: Recogniser) -> None:
        self.card = card
        self._recogniser = recogniser
        self._settings = LabelSettings(seed=int(card.arguments.get("seed", 0)))

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), -1..1, of uint8 RGB faces (N, 112, 112, 3)."""
        labels: np.ndarray = pseudo_labels(self._recogniser, images, self._settings).mean(axis=1)
        return labels
