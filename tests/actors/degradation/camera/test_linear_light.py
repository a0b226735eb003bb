import numpy as np
import pytest
import torch

from synfiqa.actors.degradation.camera.linear_light import OVEREXPOSED, developed, saturation, to_light
from synfiqa.actors.face3d.render.lighting import develop, lamp
from synfiqa.schemas.recipe import Light

LEVELS = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


def test_a_picture_that_is_linearised_and_developed_again_is_the_same():
    assert np.rint(developed(to_light(LEVELS))).astype(int).tolist() == LEVELS.astype(int).tolist()


def test_the_curve_is_that_of_the_renderer():
    light = np.linspace(0, 1.9, 500, dtype=np.float32)
    rendered = develop(torch.from_numpy(np.stack([light] * 3)), lamp(Light())).numpy()
    white = np.array(lamp(Light()).white, np.float32)
    ours = developed(light[None, :, None] * white)[0].T
    assert np.abs(ours - rendered).max() < 1.2


def test_an_over_exposed_camera_clips_hard_where_the_sensor_is_full():
    light = np.array([[[0.25, 0.5, 0.999], [1.0, 1.5, 8.0]]], np.float32)
    levels = developed(light, 2 * OVEREXPOSED)
    assert levels[0, 1].tolist() == [255, 255, 255]
    assert levels[0, 0] == pytest.approx(255 * light[0, 0] ** (1 / 2.2), abs=0.01)
    assert saturation(2 * OVEREXPOSED) == 1 < saturation(1.0)
