import math

import pytest
import torch

from synfiqa.actors.generation.face_model.control_map import ControlMaps
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.protocol import Sizes
from synfiqa.actors.generation.face_model.renderer import TorchRenderer
from synfiqa.actors.generation.face_model.sh_light import CONSTANTS

AMBIENT = math.sqrt(4 * math.pi)
"""Coefficient of the constant harmonic, so that everything is lit by 1."""


class Quad:
    """A rectangle of 0.2 x 0.1 m that faces the camera; red left, green right, half as bright below."""

    sizes = Sizes(1, 1, 1)
    faces = torch.tensor([[0, 1, 2], [2, 3, 0]])
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    uv_faces = faces
    corners = torch.tensor([[-0.1, -0.05, 0], [0.1, -0.05, 0], [0.1, 0.05, 0], [-0.1, 0.05, 0]])

    def geometry(self, shape, expression, pose):
        return self.corners.expand(len(pose), -1, -1) + shape[:, :1, None] * torch.tensor([0.0, 0, 1])

    def albedo(self, texture):
        found = torch.zeros(len(texture), 3, 256, 256)
        found[:, 0, :, :128], found[:, 1, :, 128:] = 1.0, 1.0
        found[:, :, 128:] *= 0.5
        return found * texture[:, 0, None, None, None]


def shown(count=1, **changes):
    light = torch.zeros(count, 9, 3)
    light[:, 0] = AMBIENT
    values = {
        "shape": torch.zeros(count, 1),
        "texture": torch.ones(count, 1),
        "expression": torch.zeros(count, 1),
        "pose": torch.zeros(count, 6),
        # 0.1 m are half of the crop, and the crop fills the frame.
        "camera": torch.tensor([[5.0, 0, 0]]).repeat(count, 1),
        "light": light,
        "tform": (torch.diag(torch.tensor([512 / 224, 512 / 224, 1.0])))[None].repeat(count, 1, 1),
    }
    return FaceParameters(**(values | changes))


def draw(parameters, size=64, **options):
    return ControlMaps(Quad(), TorchRenderer(), size, **options).draw(parameters)


def test_a_quad_that_faces_the_camera_under_even_light():
    map_ = draw(shown())[0]
    assert map_.shape == (9, 64, 64)
    inside = map_[:, 24:40, 16:48]
    # Towards the camera is +z, unlike the frame's depth axis.
    torch.testing.assert_close(inside[:3], torch.tensor([0.0, 0, 1])[:, None, None].expand(3, 16, 32))
    torch.testing.assert_close(inside[6:], inside[3:6])
    assert map_[3:6, 26, 20].tolist() == pytest.approx([1, 0, 0])
    assert map_[3:6, 26, 44].tolist() == pytest.approx([0, 1, 0])
    assert map_[3:6, 37, 20].tolist() == pytest.approx([0.5, 0, 0])


def test_it_covers_exactly_the_middle_of_the_frame_and_the_rest_is_zero():
    covered = (draw(shown())[0] != 0).any(0)
    # No centre of a pixel lies on an edge, nor on the diagonal between both triangles.
    assert covered[24:40, 16:48].all()
    assert covered.sum() == 16 * 32


def test_a_lamp_from_image_right_above_shades_by_the_normal():
    light = torch.zeros(1, 9, 3)
    light[0, 3], light[0, 8] = 2.0, 3.0
    map_ = draw(shown(light=light))[0]
    # A normal of (0, 0, 1): z = 1 and 3 z^2 - 1 = 2.
    assert float(map_[6, 26, 20]) == pytest.approx(2 * CONSTANTS[3] + 3 * 2 * CONSTANTS[8], rel=1e-5)


def test_the_camera_moves_right_and_up_with_positive_shifts():
    where = (draw(shown(camera=torch.tensor([[5.0, 0.05, 0.1]])))[0, 2] != 0).nonzero()
    # 0.05 m are a quarter of the crop's half, 8 of 64 pixels; 0.1 m are 16.
    assert where.amin(0).tolist() == [8, 24]
    assert where.amax(0).tolist() == [23, 55]


def test_the_size_of_the_drawing_does_not_move_the_face():
    large, small = draw(shown(), 128)[0], draw(shown(), 32)[0]
    assert torch.equal(large[2, ::4, ::4], small[2])


def test_nearer_faces_hide_farther_ones():
    class Two(Quad):
        faces = torch.tensor([[0, 1, 2], [2, 3, 0], [4, 6, 5]])
        uv_faces = torch.tensor([[0, 1, 2], [2, 3, 0], [0, 1, 2]])
        corners = torch.cat([Quad.corners, torch.tensor([[-0.1, -0.05, 0.05], [0.1, -0.05, 0.05], [0.1, 0.05, 0.05]])])

    map_ = ControlMaps(Two(), TorchRenderer(), 64).draw(shown())[0]
    # The nearer triangle is wound the other way round: it is drawn, and its normal points away.
    assert float(map_[2, 37, 44]) == pytest.approx(-1)
    assert float(map_[2, 26, 20]) == pytest.approx(1)


def test_maps_do_not_depend_on_their_neighbours_or_on_the_micro_batch(numbers):
    parameters = shown(
        5,
        shape=numbers(5, 1, spread=0.01),
        texture=numbers(5, 1).abs(),
        light=numbers(5, 9, 3),
        camera=torch.tensor([5.0, 0, 0]) + numbers(5, 3, spread=0.01),
    )
    together = draw(parameters, micro_batch=3)
    assert (together != 0).flatten(1).any(1).all()
    assert len(together.flatten(1).unique(dim=0)) == 5
    for index in range(5):
        alone = draw(parameters.rows(slice(index, index + 1)), micro_batch=3)[0]
        assert torch.equal(alone, together[index])
    torch.testing.assert_close(draw(parameters, micro_batch=5), together)


def test_a_texture_is_made_once_for_all_conditions_of_a_face():
    class Counting(Quad):
        made = 0

        def albedo(self, texture):
            self.made += 1
            return super().albedo(texture)

    model = Counting()
    ControlMaps(model, TorchRenderer(), 16, micro_batch=4).draw(shown(4))
    assert model.made == 1


def test_no_faces_make_no_maps():
    assert draw(shown().rows(slice(0, 0))).shape == (0, 9, 64, 64)


def test_a_face_that_is_not_finite_affects_only_its_own_map():
    parameters = shown(2)
    parameters.camera[0, 0] = torch.nan
    maps = draw(parameters)
    assert (maps[0] == 0).all()
    assert torch.equal(maps[1], draw(shown())[0])
