"""The label as a scorer: the upper bound of a model trained on it."""

import numpy as np

from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.model_card import BUILT_IN, ModelCard

REFERENCE_LABEL = 1.0
"""Label of a reference image: the best, since labels compare degraded samples with references."""

LABEL_CARD = ModelCard(
    name="label",
    role="quality",
    architecture="label",
    source=BUILT_IN,
    input_size=112,
    channels="rgb",
    value_range=None,
    output="quality label of the run, 1 for references",
    higher_is_better=True,
    licence="Apache-2.0",
    commercial_use=True,
)


def label_quality(labels: np.ndarray) -> np.ndarray:
    """Return the labels (N,) with `REFERENCE_LABEL` for NaN: the upper bound of a model trained on them."""
    return np.where(np.isnan(labels), REFERENCE_LABEL, labels)


class LabelScorer:
    """A `QualityScorer` (`synfiqa.actors.roles`) that looks up the labels (N,) of a run's images, in their order."""

    def __init__(self, labels: np.ndarray) -> None:
        self.card = LABEL_CARD
        self._quality = label_quality(labels)
        self._next = 0

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return the qualities of the next images; JobFailed beyond the labelled ones."""
        first, self._next = self._next, self._next + len(images)
        if self._next > len(self._quality):
            raise JobFailed(
                f"the run has {len(self._quality)} labels for {self._next} images; run `synfiqa label` again"
            )
        found: np.ndarray = self._quality[first : self._next]
        return found
