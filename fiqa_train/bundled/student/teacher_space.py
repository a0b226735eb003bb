"""Faces to teach on, and the centred space of a teacher in which a student shall place them."""

from dataclasses import dataclass

import numpy as np

from synfiqa.fiqa_train.bundled.embedder_metrics import Embed
from synfiqa.fiqa_train.bundled.render_set import RenderSet
from synfiqa.fiqa_train.bundled.student.crop_faults import faulted
from synfiqa.fiqa_train.labels.centred.cosines import centred

BATCH = 32


@dataclass(frozen=True)
class StudentFaces:
    """Aligned crops uint8 RGB (N, 112, 112, 3) with identity (N,) and whether each is a reference, bool (N,)."""

    crops: np.ndarray
    identity: np.ndarray
    reference: np.ndarray


def faces_with_faults(renders: RenderSet, seed: int, copies: int = 1) -> StudentFaces:
    """Return the references of a render set as they are, and its other faces `copies` times with drawn faults."""
    reference = np.array([recipe.kind == "reference" for recipe in renders.recipes])
    rng = np.random.default_rng(seed)
    spoilt = np.repeat(np.flatnonzero(~reference), copies)
    crops = [*renders.crops[reference], *(faulted(renders.crops[row], rng) for row in spoilt)]
    identity = np.concatenate([renders.identity[reference], renders.identity[spoilt]])
    return StudentFaces(np.stack(crops), identity, np.arange(len(crops)) < reference.sum())


def vectors_of(embed: Embed, crops: np.ndarray) -> np.ndarray:
    """Return unit vectors float32 (N, D) of crops, embedded in batches."""
    return np.concatenate([embed(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)])


def units_of(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return vectors (N, D) centred on the mean of the references among them, of length 1, float32 (N, D)."""
    return centred(vectors, vectors[reference].mean(axis=0, dtype=np.float64)).astype(np.float32)
