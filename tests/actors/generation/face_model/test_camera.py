import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from synfiqa.actors.generation.face_model.camera import (
    crop_transforms,
    head_axis_angle,
    rotations,
    to_crop,
    to_frame,
    triangles_around,
    vertex_normals,
)

AHEAD, UP, RIGHT = torch.eye(3)[[2, 1, 0]]


def tform(scale=1.0, x=0.0, y=0.0):
    return torch.tensor([[[scale, 0, 0], [0, scale, 0], [x, y, 1]]])


def test_the_camera_shifts_then_scales_and_turns_y_and_z_over():
    found = to_crop(torch.tensor([[[0.1, 0.2, 0.3]]]), torch.tensor([[2.0, 0.05, -0.1]]))
    torch.testing.assert_close(found, torch.tensor([[[0.3, -0.2, -0.6]]]))


def test_the_middle_of_the_crop_is_its_pixel_112_and_follows_the_transform():
    # 112 * 2 + 32 = 256 and 112 * 2 - 96 = 128 of 512 pixels.
    found = to_frame(torch.tensor([[[0.0, 0.0, 0.5]]]), tform(2.0, 32.0, -96.0))
    torch.testing.assert_close(found, torch.tensor([[[0.0, -0.5, 10.5]]]))


def test_a_transform_multiplies_rows_from_the_right():
    quarter = torch.tensor([[[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]])
    # Pixel (224, 112): x becomes -112 and y becomes 224.
    found = to_frame(torch.tensor([[[1.0, 0.0, 0.0]]]), quarter)
    torch.testing.assert_close(found, torch.tensor([[[-112 / 256 - 1, 224 / 256 - 1, 10.0]]]))


def test_right_above_and_nearer_in_the_world_are_so_in_the_frame():
    points = torch.stack([torch.zeros(3), RIGHT, UP, AHEAD])[None] * 0.05
    middle, right, up, ahead = to_frame(to_crop(points, torch.tensor([[8.0, 0, 0]])), tform(2.0))[0]
    assert right[0] > middle[0]
    assert up[1] < middle[1]
    assert ahead[2] < middle[2]


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll", "vector", "axis"),
    [(30, 0, 0, AHEAD, (0.5, 0)), (0, 30, 0, AHEAD, (0, 0.5)), (0, 0, 30, UP, (0.5, 0.75**0.5))],
    ids=["yaw: nose to image-right", "pitch: nose up", "roll: crown to image-right"],
)
def test_head_poses_turn_like_recipes(yaw, pitch, roll, vector, axis):
    turn = rotations(torch.from_numpy(head_axis_angle(np.array([[yaw, pitch, roll]]))))[0].float()
    assert (turn @ vector)[:2].tolist() == pytest.approx(axis, abs=1e-6)


def test_rotations_are_those_of_scipy_and_zero_is_exactly_the_identity(numbers):
    vectors = torch.cat([numbers(50, 3), numbers(20, 3, spread=1e-4)]).double()
    expected = Rotation.from_rotvec(vectors.numpy()).as_matrix()
    np.testing.assert_allclose(rotations(vectors), expected, atol=1e-14)
    assert torch.equal(rotations(torch.zeros(3)), torch.eye(3))
    assert rotations(torch.tensor([1e-30, 0, 0])).isfinite().all()


def test_normals_are_weighted_by_area_and_point_outwards():
    # Two triangles share an edge: a small one in the plane z = 0, one of nine times its area in the plane x = 0.
    vertices = torch.tensor([[[0.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, -9]]])
    faces = torch.tensor([[0, 1, 2], [0, 3, 1]])
    normals = vertex_normals(vertices, faces)[0]
    assert normals[2].tolist() == [0, 0, 1]
    assert normals[3].tolist() == [1, 0, 0]
    torch.testing.assert_close(normals[0], torch.tensor([9.0, 0, 1]) / 82**0.5)


def test_triangles_are_listed_around_their_vertices():
    found = triangles_around(torch.tensor([[0, 1, 2], [2, 1, 3], [2, 3, 0]]), 5)
    assert found.tolist() == [[0, 2, 3], [0, 1, 3], [0, 1, 2], [1, 2, 3], [3, 3, 3]]


def test_crops_are_squares_around_and_below_the_box():
    forward, back = crop_transforms(np.array([[100, 120, 180, 240]]))
    # Mean side 100, so 125 pixels around x = 140 and y = 180 + 12.
    corners = np.array([[77.5, 129.5, 1], [77.5, 254.5, 1], [202.5, 129.5, 1]])
    np.testing.assert_allclose(corners @ forward[0].T, [[0, 0], [0, 223], [223, 0]], atol=1e-9)
    np.testing.assert_allclose([[0, 0, 1], [0, 223, 1], [223, 0, 1]] @ back[0], corners, atol=1e-4)


@pytest.mark.parametrize("box", [[10, 10, 10, 10], [5, 5, 2, 2], [0, 0, np.nan, 9]])
def test_empty_boxes_are_refused(box):
    with pytest.raises(ValueError, match="box"):
        crop_transforms(np.array([box]))
