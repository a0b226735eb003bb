from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis.landmark_pose import MEAN_FACE, LandmarkPose, pose_from_landmarks
from synfiqa.actors.imaging.rotation import euler_angles, rotation_matrix
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Pose, Recipe


def project(poses, scale=35.0, centre=(60.0, 50.0)):
    turned = MEAN_FACE @ rotation_matrix(poses).transpose(0, 2, 1)
    return turned[..., :2] * [scale, -scale] + centre


def random_poses(count, yaw, seed=0):
    return np.random.default_rng(seed).uniform([-yaw, -30, -40], [yaw, 30, 40], (count, 3))


@settings(deadline=None)
@given(st.floats(-88, 88), st.floats(-60, 60), st.floats(-170, 170), st.floats(0.1, 1e4), st.floats(-1e4, 1e4))
def test_recovers_the_pose_of_the_mean_face_at_any_position_and_size(yaw, pitch, roll, scale, shift):
    pose = np.array([[yaw, pitch, roll]])
    np.testing.assert_allclose(pose_from_landmarks(project(pose, scale, (shift, -shift))), pose, atol=0.01)


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_angles_of_a_rotation_are_those_it_was_made_of(yaw, pitch, roll):
    pose = np.array([[yaw, pitch, roll]])
    found = euler_angles(rotation_matrix(pose))
    np.testing.assert_allclose(rotation_matrix(found), rotation_matrix(pose), atol=1e-9)
    if abs(yaw) < 89 or abs(yaw) > 91:
        np.testing.assert_allclose(found, pose, atol=1e-5)


class TestSigns:
    frontal = project(np.zeros((1, 3)))

    def pose(self, move):
        return pose_from_landmarks(self.frontal + move)[0]

    def test_frontal_is_zero(self):
        np.testing.assert_allclose(self.pose(0), 0, atol=1e-6)

    def test_nose_to_image_right_is_positive_yaw(self):
        assert self.pose(np.array([[0, 0], [0, 0], [8, 0], [0, 0], [0, 0]]))[0] > 5

    def test_nose_up_is_positive_pitch(self):
        assert self.pose(np.array([[0, 0], [0, 0], [0, -6], [0, 0], [0, 0]]))[1] > 5

    def test_clockwise_in_the_picture_is_positive_roll(self):
        angle = np.radians(20)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # y points down
        np.testing.assert_allclose(pose_from_landmarks(self.frontal @ turn.T)[0], [0, 0, 20], atol=1e-4)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_mirroring_the_picture_mirrors_yaw_and_roll(seed):
    points = project(random_poses(1, 70, seed)) + np.random.default_rng(seed).normal(0, 1, (1, 5, 2))
    mirrored = (points * [-1, 1])[:, [1, 0, 2, 4, 3]]
    expected = pose_from_landmarks(points) * [-1, 1, -1]
    np.testing.assert_allclose(pose_from_landmarks(mirrored), expected, atol=0.2)


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_yaw_survives_landmark_noise(noise):
    # One pixel is 3 % of the eye distance here, half of what MTCNN is off.
    poses = random_poses(800, 60)
    found = pose_from_landmarks(project(poses) + np.random.default_rng(1).normal(0, noise, (800, 5, 2)))
    assert np.abs(found - poses)[:, 0].mean() < 4


def test_yaw_is_monotone_through_profile():
    yaw = np.linspace(-95, 95, 191)
    poses = np.stack([yaw, 0 * yaw, 0 * yaw], axis=1)
    found = pose_from_landmarks(project(poses))[:, 0]
    assert (np.diff(found) > 0.5).all()
    np.testing.assert_allclose(found, yaw, atol=0.1)


def test_a_result_does_not_depend_on_its_batch():
    points = project(random_poses(40, 90))
    alone = np.concatenate([pose_from_landmarks(face[None]) for face in points])
    np.testing.assert_array_equal(pose_from_landmarks(points), alone)
    assert pose_from_landmarks(points[:0]).shape == (0, 3)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_any_five_points_give_finite_angles(seed):
    found = pose_from_landmarks(np.random.default_rng(seed).uniform(0, 112, (4, 5, 2)))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 180


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (np.full((1, 5, 2), 3.0), "coincide"),
        (np.full((1, 5, 2), np.inf), "finite"),
        (np.zeros((5, 2)), "shape"),
    ],
)
def test_useless_landmarks_are_refused(landmarks, message):
    with pytest.raises(ValueError, match=message):
        pose_from_landmarks(landmarks)


def test_measures_rendered_heads_of_other_identities():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yaw = np.array([-90, -65, -40, -20, 0, 20, 40, 65, 90])
    recipes = [Recipe(kind="degraded", seed=index, pose=Pose(yaw=value)) for index, value in enumerate(yaw)]
    renderer = HeadRenderer(supersample=1)
    found = np.array(
        [
            pose_from_landmarks(renderer.render(sample_identity(seed), recipes, 64).landmarks)[:, 0]
            for seed in range(930_000, 930_006)
        ]
    )
    torch.set_num_threads(threads)
    assert (np.diff(found, axis=1) > 0).all()
    assert np.abs(found - yaw).mean() < 5
    assert np.corrcoef(np.abs(found).ravel(), np.tile(np.abs(yaw), 6))[0, 1] > 0.98


class TestPlayer:
    player = LandmarkPose(
        ModelCard(
            name="landmark-pose",
            role="pose",
            architecture="landmark-pose",
            source="built-in",
            input_size=112,
            channels="rgb",
            value_range=None,
            output="yaw, pitch, roll",
            licence="Apache-2.0",
            commercial_use=True,
        ),
        Path(),
        Execution(),
    )
    pictures = (np.zeros((112, 112, 3), np.uint8),) * 3

    def test_measures_landmarks_and_returns_nan_without_a_face(self):
        points = project(random_poses(3, 60)).astype(np.float32)
        points[1] = np.nan
        found = self.player.pose(self.pictures, points)
        np.testing.assert_array_equal(found[[0, 2]], pose_from_landmarks(points[[0, 2]]))
        assert np.isnan(found[1]).all()
        assert self.player.pose([], points[:0]).shape == (0, 3)

    def test_without_landmarks_the_error_names_the_way_out(self):
        with pytest.raises(ValueError, match="call it with those of a detector"):
            self.player.pose(self.pictures, None)
