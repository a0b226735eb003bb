import cv2
import numpy as np
import pytest

from synfiqa.actors.degradation.camera.distortion import distorted, lens_distorted, undistorted

POINTS = np.array([[100.0, 100.0], [30.0, 180.0], [120.0, 121.5], [190.0, 40.0]])


@pytest.mark.parametrize("k1", [0.35, 0.05, -0.05, -0.15])
def test_points_come_back_through_the_inverse(k1):
    assert undistorted(distorted(POINTS, k1, 240), k1, 240) == pytest.approx(POINTS, abs=1e-6)


def test_the_middle_stays_and_a_barrel_draws_points_in_while_a_cushion_draws_them_out():
    centre = np.array([[119.5, 119.5]])
    corner = np.array([[20.0, 20.0]])
    assert distorted(centre, 0.3, 240) == pytest.approx(centre)
    assert distorted(corner, 0.3, 240)[0, 0] > 20 > distorted(corner, -0.1, 240)[0, 0]


@pytest.mark.parametrize("k1", [0.3, -0.12])
@pytest.mark.parametrize("corner", [(0, 0), (40, 25)])
def test_a_picture_moves_as_its_points_do(k1, corner):
    light = np.zeros((240, 240, 3), np.float32)
    light[90, 160] = 1
    light = cv2.GaussianBlur(light, (0, 0), 2)
    left, top = corner
    seen = lens_distorted(light[top:230, left:230], k1, corner, 240)[..., 0]
    y, x = np.mgrid[: seen.shape[0], : seen.shape[1]]
    place = np.array([(seen * x).sum(), (seen * y).sum()]) / seen.sum() + corner
    assert place == pytest.approx(distorted(np.array([160.0, 90.0]), k1, 240), abs=0.15)


def test_beyond_the_fold_of_a_cushion_points_stay_at_it():
    far = distorted(np.array([[10_000.0, 119.5]]), -0.15, 240)
    assert np.isfinite(far).all()
    assert lens_distorted(np.ones((4, 4, 3), np.float32), 0, (0, 0), 4).shape == (4, 4, 3)
