"""The released estimate of the alignment, with the figures measured beside the authors' own code."""

import numpy as np
import pytest

from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, similarity_transform, transform_points
from synfiqa.actors.imaging.released_alignment import released_transform


def turned(yaw):
    """Landmarks of a face like the template, its nose 15 and its mouth 4 px before the eyes, turned by yaw degrees."""
    depth = np.array([0, 0, 15.0, 4, 4])
    x, y = (ARCFACE_TEMPLATE * (1, 0.93) - (56, 70)).T
    angle = np.radians(yaw)
    return np.stack([x * np.cos(angle) + (depth - depth.mean()) * np.sin(angle), y], axis=1) + 200


def scale(matrix):
    return np.sqrt(abs(np.linalg.det(matrix[:, :2])))


@pytest.mark.parametrize(("yaw", "ratio"), [(0, 1.003), (20, 1.008), (30, 1.018), (45, 1.053), (60, 1.142)])
def test_turned_faces_come_out_larger_than_by_the_fit_to_the_template(yaw, ratio):
    points = turned(yaw)[None]
    ours, released = similarity_transform(points)[0], released_transform(points)[0]
    assert scale(released) / scale(ours) == pytest.approx(ratio, abs=0.003)


@pytest.mark.parametrize(("yaw", "pixels"), [(45, 1.1), (60, 3.1)])
def test_landmarks_move(yaw, pixels):
    points = turned(yaw)[None]
    moved = transform_points(points, released_transform(points)) - transform_points(
        points, similarity_transform(points)
    )
    assert np.hypot(*moved[0].T).mean() == pytest.approx(pixels, abs=0.15)


def test_faces_beyond_70_degrees_are_mirrored():
    found = released_transform(np.stack([turned(yaw) for yaw in (-75, -60, 0, 60, 75)]))
    assert np.sign(np.linalg.det(found[:, :, :2])).tolist() == [-1, 1, 1, 1, -1]


def test_it_is_the_inverse_of_the_least_squares_fit_of_the_template_to_the_face():
    points = turned(40)
    x, y = ARCFACE_TEMPLATE.T
    ones, zeros = np.ones(5), np.zeros(5)
    rows = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    a, b, right, down = np.linalg.lstsq(rows, points.T.ravel(), rcond=None)[0]
    back = np.array([[a, -b, right], [b, a, down], [0, 0, 1]])
    np.testing.assert_allclose(released_transform(points[None])[0], np.linalg.inv(back)[:2], atol=1e-4)


def test_a_face_that_is_a_similarity_of_the_template_is_aligned_alike():
    points = (ARCFACE_TEMPLATE * 1.7 + 30)[None]
    np.testing.assert_allclose(released_transform(points), similarity_transform(points), atol=1e-4)


@pytest.mark.parametrize(
    ("points", "said"),
    [(np.full((5, 2), 3.0), "coincide"), (np.full((5, 2), np.nan), "finite"), (np.zeros((4, 2)), "shape")],
)
def test_landmarks_without_an_alignment_are_refused(points, said):
    with pytest.raises(ValueError, match=said):
        released_transform(points[None])
