"""Labels and true accept rates of faces, from vectors whose mean reference vector is subtracted.

Labels are those of `label.form: centred`. A face is accepted where its cosine to a reference exceeds that which a
share FMR of the pairs of strangers exceeds, among references and photographs without faults.
"""

from dataclasses import dataclass

import numpy as np

from synfiqa.fiqa_train.bundled.embedder_metrics import threshold_at_fmr
from synfiqa.fiqa_train.labels.centred.cosines import centred, centred_cosines, label_of, mean_vector, reference_sums

FMR = 1e-3


@dataclass(frozen=True, eq=False)
class Likeness:
    """Of P people with F faces: labels (P, F), shares of the own references that accept a face (P, F).

    `strangers` is the number of pairs that fix the threshold, `carriers` of how many pairs of people those beyond are.
    """

    labels: np.ndarray
    accepted: np.ndarray
    threshold: float
    strangers: int
    carriers: int


def likeness(vectors: np.ndarray, references: int) -> Likeness:
    """Return the likeness of unit vectors (P, F, D): references first, then the face without faults, then all others.

    Targets of a label are the references and the face without faults, as in a run.
    """
    people, faces, size = vectors.shape
    flat, identity = vectors.reshape(-1, size), np.repeat(np.arange(people), faces)
    place = np.tile(np.arange(faces), people)
    mean, _ = mean_vector([reference_sums(flat, identity, place < references)])
    units = centred(flat, np.array(mean))
    labels = label_of(centred_cosines(units, identity, place <= references))
    good = units.reshape(people, faces, size)[:, : references + 1]
    threshold, strangers, carriers = _threshold(good)
    own = np.einsum("pfd,prd->pfr", units.reshape(people, faces, size), good[:, :references])
    return Likeness(labels.reshape(people, faces), (own > threshold).mean(axis=2), threshold, strangers, carriers)


def _threshold(good: np.ndarray) -> tuple[float, int, int]:
    """Return the least cosine that at most a share FMR of the pairs of strangers exceed, their number, its carriers."""
    people, each, size = good.shape
    flat, identity = good.reshape(-1, size), np.repeat(np.arange(people), each)
    first, second = np.triu_indices(len(flat), 1)
    apart = identity[first] != identity[second]
    first, second = first[apart], second[apart]
    cosines = np.einsum("nd,nd->n", flat[first], flat[second])
    threshold = threshold_at_fmr(cosines, FMR)
    over = cosines > threshold
    pairs = {(int(one), int(other)) for one, other in zip(identity[first[over]], identity[second[over]], strict=True)}
    return threshold, len(cosines), len(pairs)
