"""How near a student comes to its teacher on people that it was not trained on."""

import numpy as np

from synfiqa.actors.quality.correlation import spearman
from synfiqa.fiqa_train.bundled.embedder_metrics import Embed, pair_scores, threshold_at_fmr
from synfiqa.fiqa_train.bundled.render_set import RenderSet
from synfiqa.fiqa_train.bundled.student.crop_faults import strong
from synfiqa.fiqa_train.bundled.student.teacher_space import StudentFaces, units_of, vectors_of
from synfiqa.fiqa_train.labels.centred.cosines import centred, centred_cosines, label_of

SHOWN = ("noise", "jpeg", "blur", "resolution", "dark", "bright")
"""Strong faults under which the TAR is measured."""
FMR = 1e-3


def labels_by(embed: Embed, faces: StudentFaces) -> np.ndarray:
    """Return the centred labels in 0..1 of the faces that are no references, (P,), against the references."""
    units = units_of(vectors_of(embed, faces.crops), faces.reference)
    return label_of(centred_cosines(units, faces.identity, faces.reference)[~faces.reference])


def agreement(teacher: Embed, student: Embed, faces: StudentFaces) -> float:
    """Return Spearman's correlation of the student's labels of held-out faces with the teacher's."""
    return float(spearman(labels_by(teacher, faces), labels_by(student, faces)))


def tar_by_fault(embed: Embed, clean: RenderSet, seed: int) -> dict[str, float]:
    """Return the TAR of clean and of strongly faulted probes at the network's own FMR of 1e-3 on clean pairs.

    Of each person's clean faces the even ones are enrolled and the odd ones are probes. Vectors are centred on the mean
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
    return found | {name: float((scores(strong(probes, name, seed))[0] > threshold).mean()) for name in SHOWN}
