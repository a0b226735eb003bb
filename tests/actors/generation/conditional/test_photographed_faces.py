"""Faces of photographs are searched for where they can be, and aligned by what was found."""

from dataclasses import replace

import numpy as np
import pytest

from synfiqa.actors.degradation.camera.photograph import eye_distance, photographed
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.generation.conditional.photographed_faces import SEARCH_EYES, photographed_faces, search_window
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE
from synfiqa.actors.roles import Detection
from synfiqa.schemas.recipe import Recipe, Shot

USUAL = Recipe(kind="degraded", seed=5, profile="camera", shot=Shot(eyes=50, quality=95))


@pytest.fixture(scope="module")
def portrait():
    rendered = HeadRenderer().render(sample_identity(3), [USUAL], 200)
    return rendered.images[0], rendered.landmarks[0]


class Turned:
    """A detector that finds the face turned by some degrees, away from its place by a shift, or not at all."""

    def __init__(self, truth, degrees=0.0, shift=(0.0, 0.0), found=True):
        self.truth, self.degrees, self.shift, self.found = truth, np.radians(degrees), np.array(shift), found

    def faces(self, images):
        if not self.found:
            return [[] for _ in images]
        window = search_window(self.truth.image, self.truth.landmarks)
        points = (self.truth.landmarks - window.corner + 0.5) / window.pixel - 0.5
        turn = np.array([[np.cos(self.degrees), -np.sin(self.degrees)], [np.sin(self.degrees), np.cos(self.degrees)]])
        middle = points.mean(axis=0)
        points = (points - middle) @ turn.T + middle + self.shift
        return [[Detection(0.99, np.zeros(4), points)] for _ in images]


def test_a_face_is_found_and_aligned_by_what_was_found(portrait):
    images, landmarks = [portrait[0]] * 2, [portrait[1]] * 2
    small = USUAL.model_copy(update={"shot": Shot(eyes=18, quality=95)})
    for face in photographed_faces(images, landmarks, [USUAL, small], MtcnnDetector()):
        assert face.detected
        assert abs(face.turned) < 6
        assert np.abs(face.landmarks - ARCFACE_TEMPLATE).max() < 9
        assert face.image.shape == (112, 112, 3)


def test_the_search_of_some_sizes_finds_the_face_that_the_whole_search_finds(portrait):
    taken = photographed(*portrait, USUAL)
    window, detector = search_window(taken.image, taken.landmarks), MtcnnDetector()
    (whole,), (sized,) = detector.faces([window.image]), detector.faces_of_size([window.image], 30, 100)
    assert sized[0].landmarks == pytest.approx(whole[0].landmarks, abs=2)
    assert sized[0].probability > 0.9
    assert detector.faces_of_size([np.zeros((60, 60, 3), np.uint8)], 20, 60) == [[]]


@pytest.mark.parametrize("degrees", [-20, 0, 35])
def test_misalignment_is_measured_against_the_true_landmarks(portrait, degrees):
    taken = photographed(*portrait, USUAL)
    (face,) = photographed_faces([portrait[0]], [portrait[1]], [USUAL], Turned(taken, degrees))
    assert face.detected
    # Landmarks found too far clockwise turn the crop back by as much.
    assert face.turned == pytest.approx(-degrees, abs=0.5)


@pytest.mark.parametrize("detector", [{"found": False}, {"shift": (60.0, 0.0)}])
def test_a_face_that_is_not_found_keeps_the_true_landmarks(portrait, detector):
    taken = photographed(*portrait, USUAL)
    (face,) = photographed_faces([portrait[0]], [portrait[1]], [USUAL], Turned(taken, **detector))
    assert not face.detected
    assert face.turned == 0
    (known,) = photographed_faces([portrait[0]], [portrait[1]], [USUAL], Turned(taken))
    assert face.landmarks == pytest.approx(known.landmarks, abs=0.2)


def test_the_searched_square_repeats_the_border_and_maps_back_to_the_photograph(portrait):
    taken = photographed(*portrait, replace_shot(cut_side="left", cut=0.2, eyes=80))
    window = search_window(taken.image, taken.landmarks)
    height, width = window.image.shape[:2]
    assert height == width
    assert window.corner[0] < 0
    middle = (taken.landmarks - window.corner + 0.5) / window.pixel - 0.5
    assert window.outside(middle) == pytest.approx(taken.landmarks)
    assert eye_distance(middle) == pytest.approx(SEARCH_EYES, rel=0.03)
    assert middle.mean(axis=0) == pytest.approx([width / 2, height / 2], abs=1.5)


def replace_shot(**changes):
    return USUAL.model_copy(update={"shot": USUAL.shot.model_copy(update=changes)})


def test_detections_without_an_alignment_count_as_none(portrait):
    taken = photographed(*portrait, USUAL)
    broken = Turned(replace(taken, landmarks=taken.landmarks))
    broken.faces = lambda images: [[Detection(0.9, np.zeros(4), np.full((5, 2), 50.0))] for _ in images]
    (face,) = photographed_faces([portrait[0]], [portrait[1]], [USUAL], broken)
    assert not face.detected
