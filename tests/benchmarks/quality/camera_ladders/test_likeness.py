"""Labels and true accept rates along ladders, on vectors of known geometry."""

import numpy as np
import pytest

from benchmarks.quality.camera_ladders.likeness import FMR, likeness
from benchmarks.quality.camera_ladders.photographed_people import Faces
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.factor import Ladder

PEOPLE, REFERENCES, SIZE = 12, 3, 16


@pytest.fixture(scope="module")
def vectors():
    """Twelve people: three references, one face like them, one that has lost the person; all share a large part."""
    rng = np.random.default_rng(0)
    person, lost = rng.standard_normal((2, PEOPLE, 1, SIZE))
    common = 9 * np.eye(SIZE)[0]
    faces = np.concatenate([np.repeat(person, REFERENCES + 1, 1), lost], 1)
    faces = faces + common + 0.05 * rng.standard_normal(faces.shape)
    return (faces / np.linalg.norm(faces, axis=2, keepdims=True)).astype(np.float32)


def test_what_all_faces_share_does_not_count(vectors):
    found = likeness(vectors, REFERENCES)
    assert found.labels.shape == found.accepted.shape == (PEOPLE, REFERENCES + 2)
    assert found.labels[:, REFERENCES].min() > 0.9
    assert found.labels[:, -1].mean() < 0.35
    assert (found.accepted[:, REFERENCES] == 1).all()
    assert found.accepted[:, -1].mean() < 0.1


def test_at_most_the_stated_share_of_strangers_is_accepted(vectors):
    found = likeness(vectors, REFERENCES)
    each = REFERENCES + 1
    assert found.strangers == PEOPLE * (PEOPLE - 1) // 2 * each**2
    assert found.carriers <= FMR * found.strangers
    assert -1 < found.threshold < 1


def test_places_of_a_ladder_begin_with_the_face_without_faults():
    ladders = [(row, Ladder("ladder", tuple(range(levels)), 1)) for row, levels in zip(FACTORS, (4, 5), strict=False)]
    faces = Faces(np.zeros((1, 10, 1, 1, 3), np.uint8), np.ones((1, 10), bool), 2, ladders)
    assert faces.places(0).tolist() == [2, 3, 4, 5]
    assert faces.places(1).tolist() == [2, 6, 7, 8, 9]
