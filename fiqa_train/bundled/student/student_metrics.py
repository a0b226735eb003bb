"""How near a student comes to its teacher on people that it was not trained on."""

import numpy as np

from synfiqa.actors.quality.correlation import spearman
from synfiqa.fiqa_train.bundled.embedder_metrics import Embed, pair_scores, rates_of, threshold_at_fmr
from synfiqa.fiqa_train.bundled.student.run_faces import RunFaces
from synfiqa.fiqa_train.bundled.student.strong_faults import FAULTS, strong
from synfiqa.fiqa_train.labels.centred.cosines import centred, centred_cosines, label_of

FMR = 1e-3
BATCH = 32


def vectors_of(embed: Embed, crops: np.ndarray) -> np.ndarray:
    """Return unit vectors float32 (N, D) of crops, embedded in batches."""
    return np.concatenate([embed(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)])


def units_of(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return vectors (N, D) centred on the mean of the references among them, of length 1, float32 (N, D)."""
    return centred(vectors, vectors[reference].mean(axis=0, dtype=np.float64)).astype(np.float32)


def labels_by(vectors: np.ndarray, faces: RunFaces) -> np.ndarray:
    """Return the centred labels in 0..1 of the degraded samples, (P,), by a network's vectors (N, D) of the faces."""
    cosines = centred_cosines(units_of(vectors, faces.reference), faces.identity, faces.reference)
    return label_of(cosines[~faces.reference])


def agreement(vectors: np.ndarray, faces: RunFaces) -> float:
    """Return Spearman's correlation of the labels by a student's vectors (N, D) with those by the teacher's."""
    return float(spearman(labels_by(faces.vectors, faces), labels_by(vectors, faces)))


def student_rates(vectors: np.ndarray, faces: RunFaces) -> dict[str, float]:
    """Return `rates_of` references and samples by a network's unit vectors (N, D) of the faces."""
    own, mine = faces.reference, faces.identity
    return rates_of(vectors[own], mine[own], vectors[~own], mine[~own])


def tar_by_fault(embed: Embed, clean: RunFaces, seed: int) -> dict[str, float]:
    """Return the TAR of clean and of strongly faulted probes at the network's own FMR of 1e-3 on clean pairs.

    Of each person's references the even ones are enrolled and the odd ones are probes. Vectors are centred on the mean
    of the enrolled ones.
    """
    even = np.arange(len(clean.crops)) % 2 == 0
    enrolled = vectors_of(embed, clean.crops[even])
    mean = enrolled.mean(axis=0, dtype=np.float64)
    gallery, people = centred(enrolled, mean), clean.identity[even]
    probes = clean.crops[~even]

    def scores(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return pair_scores(gallery, people, centred(vectors_of(embed, crops), mean), clean.identity[~even])

    genuine, impostor = scores(probes)
    threshold = threshold_at_fmr(impostor, FMR)
    found = {"clean": float((genuine > threshold).mean())}
    return found | {name: float((scores(strong(probes, name, seed))[0] > threshold).mean()) for name in FAULTS}
