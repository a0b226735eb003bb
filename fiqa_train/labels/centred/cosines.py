"""The arithmetic of centred labels: mean reference vector, and mean cosine of a face to its person in the space left.

With v the unit vector of a face and c the mean of the vectors of all references of the run, u = (v - c) / |v - c|. The
raw label of a face is the mean of u . u' over the other targets of its person, which are its references and fault-free
pictures. A network trained on photographs sees rendered strangers as alike (they share the renderer); c is what they
have in common, and without it strangers are at 0.

Some people are recognised less well than others in all their pictures: in renders those with dark skin, since they are
few among the photographs that the network learned from. A relative label is a share of the person's own fault-free
cosines, so that it says what a picture loses and not who is in it.
"""

from collections.abc import Iterable

import numpy as np

LOW, HIGH = -0.1, 1.0
"""Cosines that become label 0 and label 1; what lies outside is clipped."""
STANDARD = 0.8
"""Relative cosine of a person's fault-free pictures, of which about a half are above it."""
LEAST = 0.3
"""Least mean cosine by which relative ones are measured."""
DIGITS = 7
"""Decimals of the mean vector, so that it does not depend on the order of summation."""


def reference_sums(vectors: np.ndarray, identity: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the sums of the reference vectors of each person of a shard, float64 (P, D), and the references' number.

    Sums are by person, so that the mean does not depend on how persons are cut into shards.
    """
    people = np.unique(identity[reference])
    sums = [vectors[reference & (identity == person)].sum(axis=0, dtype=np.float64) for person in people]
    return np.array(sums).reshape(len(people), vectors.shape[1]), int(reference.sum())


def mean_vector(shards: Iterable[tuple[np.ndarray, int]]) -> tuple[list[float], int]:
    """Return the mean reference vector (D,) of all shards, given by `reference_sums` in their order, and its count."""
    total, count = np.zeros(1), 0
    for sums, references in shards:
        count += references
        for own in sums:
            total = total + own
    return np.round(total / max(count, 1), DIGITS).tolist(), count


def centred(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return (v - c) / |v - c| of unit vectors v (N, D) and their mean reference vector c (D,), float64 (N, D)."""
    shifted = vectors.astype(np.float64) - mean
    lengths = np.linalg.norm(shifted, axis=1, keepdims=True)
    unit: np.ndarray = shifted / np.maximum(lengths, 1e-12)
    return unit


def centred_cosines(units: np.ndarray, identity: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the mean cosine of each row to the other targets of its person, float32 (N,); NaN without one.

    units: centred vectors (N, D) of length 1. identity: (N,). target: bool (N,), references and fault-free pictures.
    """
    found = np.full(len(units), np.nan, np.float32)
    for person in np.unique(identity):
        members = np.flatnonzero(identity == person)
        own, among = units[members], target[members]
        # A target counts among the others of its person, not for itself: u . u is 1.
        others = among.sum() - among
        cosines = own @ own[among].sum(axis=0) - among
        found[members] = np.divide(cosines, others, out=np.full(len(members), np.nan), where=others > 0)
    return found


def relative_cosines(cosines: np.ndarray, identity: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return cosines (N,) times STANDARD / the mean of those of the person's targets, float32 (N,).

    The mean counts as at least LEAST. NaN stays, and so does everyone's who has no target with a cosine.
    """
    found = np.full(len(cosines), np.nan, np.float32)
    for person in np.unique(identity):
        members = identity == person
        own = cosines[members & target]
        own = own[np.isfinite(own)]
        if len(own):
            found[members] = cosines[members] * (STANDARD / max(LEAST, float(own.mean(dtype=np.float64))))
    return found


def label_of(cosines: np.ndarray) -> np.ndarray:
    """Return labels in 0..1 of mean cosines (N,): clipped to LOW..HIGH, then scaled."""
    labels: np.ndarray = (np.clip(cosines.astype(np.float64), LOW, HIGH) - LOW) / (HIGH - LOW)
    return labels
