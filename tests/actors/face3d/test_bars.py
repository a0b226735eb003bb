"""Cheap quality checks of faces: a detector finds them at their landmarks, and heads are rasterised exactly."""

import numpy as np
import pytest

from benchmarks.quality.face_bars.detection import detected
from benchmarks.quality.face_bars.ladders.people import base_recipe, person, references
from benchmarks.quality.face_bars.rasteriser import head, mismatches
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.schemas.recipe import Pose

PEOPLE = 12
POSES = [(0, 0), (25, 0), (-25, 0), (40, 0), (-40, 0), (0, 15), (0, -15), (20, 12), (-20, -12)]


def test_frontal_references_are_found_at_their_landmarks():
    renderer, found = HeadRenderer(), []
    for number in range(PEOPLE):
        shown = renderer.render(person(0, number), references(0, number, 1), 112)
        found.append(detected(shown.images[0], shown.landmarks[0]))
    assert [entry.probability > 0.7 for entry in found] == [True] * PEOPLE
    errors = np.stack([entry.error for entry in found])
    assert errors.mean() <= 0.10
    assert errors.max() < 0.35


def test_faces_are_found_in_all_poses_of_a_sheet():
    renderer = HeadRenderer()
    for number in (1, 4):
        base = base_recipe(0, number)
        recipes = [base.model_copy(update={"pose": Pose(yaw=yaw, pitch=pitch)}) for yaw, pitch in POSES]
        shown = renderer.render(person(0, number), recipes, 128)
        found = [detected(image, points) for image, points in zip(shown.images, shown.landmarks, strict=True)]
        assert [entry.probability > 0 for entry in found] == [True] * len(POSES)


@pytest.mark.parametrize("yaw", [0, 57])
def test_a_head_is_drawn_exactly(yaw):
    verts, faces = head(0, 2, yaw)
    assert 13_000 < len(faces) < 15_000
    covered, _, share, depth = mismatches(verts, faces, 64)
    assert covered == 0
    assert share <= 1e-4
    assert depth < 2e-4
