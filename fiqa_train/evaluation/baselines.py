"""Reference methods of an evaluation: random quality and the label itself.

Sharpness, the third, is `synfiqa.actors.quality.measures.sharpness`.
"""

import numpy as np

from synfiqa.schemas.seeds import derive_seed, generator

REFERENCE_LABEL = 1.0
"""Label of a reference image: the best, since labels compare degraded samples with references."""


def random_quality(count: int, seed: int) -> np.ndarray:
    """Return qualities (N,) drawn evenly from 0..1; discarding by them is random, so pAUC is about 1."""
    return generator(derive_seed(seed, "random-quality")).random(count)


def label_quality(labels: np.ndarray) -> np.ndarray:
    """Return the labels (N,) with `REFERENCE_LABEL` for NaN: the upper bound of a model trained on them."""
    return np.where(np.isnan(labels), REFERENCE_LABEL, labels)
