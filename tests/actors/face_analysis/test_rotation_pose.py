from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from skimage.data import astronaut
from torch import nn

from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis import rotation_pose as head_pose
from synfiqa.actors.face_analysis.rotation_pose import RotationNetPose, euler_degrees, head_angles
from synfiqa.actors.imaging.rotation import rotation_matrix
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.sixdrepnet import SixDRepNet360
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Pose, Recipe


def card(**changes):
    fields = {
        "name": "pose",
        "role": "pose",
        "architecture": "6drepnet360",
        "source": "random:0",
        "input_size": 224,
        "channels": "rgb",
        "value_range": None,
        "normalise": "imagenet",
        "output": "a rotation",
        "licence": "MIT",
        "commercial_use": True,
    }
    return ModelCard(**fields | changes)


def random_weights(folder):
    """Weights of the whole network, drawn at random, as a file in the folder."""
    with torch.device("meta"):
        skeleton = SixDRepNet360()
    state = random_state(skeleton, 0)
    SixDRepNet360.rehearse(state)
    save_file(state, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def published_target(yaw, pitch, roll):
    """The target matrix of the network's training for published angles in degrees: Z(roll) Y(yaw) X(pitch)."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return z @ y @ x


def published_axes(yaw, pitch, roll):
    """The head's axes as the authors draw them: (x, y) in the image, y down, of its image-right side and its nose."""
    yaw, pitch, roll = np.radians([-yaw, pitch, roll])
    side = np.cos(yaw) * np.cos(roll), np.cos(pitch) * np.sin(roll) + np.cos(roll) * np.sin(pitch) * np.sin(yaw)
    nose = np.sin(yaw), -np.cos(yaw) * np.sin(pitch)
    return np.array(side), np.array(nose)


def network_answer(poses):
    """The network's output for heads under `Pose`: the directions of the head's axes, one per row."""
    return rotation_matrix(np.atleast_2d(poses)).transpose(0, 2, 1)


@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(-179, 179))
@settings(deadline=None)
def test_published_angles_are_recovered_from_the_published_target(yaw, pitch, roll):
    np.testing.assert_allclose(euler_degrees(published_target(yaw, pitch, roll)[None]), [[yaw, pitch, roll]], atol=1e-6)


@pytest.mark.parametrize("yaw", [-90, 90])
def test_at_profile_roll_is_zero_and_pitch_holds_both(yaw):
    matrix = published_target(yaw, 30, 12)
    matrix[:2, 0] = 0  # cos 90 is not quite 0 in floating point
    found = euler_degrees(matrix[None])[0]
    np.testing.assert_allclose(found, [yaw, 30 - 12 * np.sign(yaw), 0], atol=1e-6)


SINGLE = [tuple(angle if which == place else 0.0 for place in range(3)) for which in range(3) for angle in (-25, 25)]
MIXED = np.random.default_rng(3).uniform((-45, -25, -30), (45, 25, 30), (16, 3)).round(2).tolist()


@pytest.fixture(scope="module")
def shown():
    """Landmarks of rendered heads by pose. The renderer is independent of the network: it uses `Pose` only."""
    poses = [(0.0, 0.0, 0.0), *SINGLE, *map(tuple, MIXED)]
    recipes = [Recipe(kind="reference", seed=0, pose=Pose(yaw=y, pitch=p, roll=r)) for y, p, r in poses]
    points = HeadRenderer(supersample=0.25).render(sample_identity(930_001), recipes, 64).landmarks
    return dict(zip(poses, points.astype(float), strict=True))


class TestRenderedHeads:
    @pytest.mark.parametrize("angles", ["recipe", "published"])
    @pytest.mark.parametrize("pose", SINGLE)
    def test_each_angle_has_the_sign_of_the_rendered_head(self, shown, pose, angles):
        frontal, turned = shown[(0.0, 0.0, 0.0)], shown[pose]
        nose = (turned[2] - turned[:2].mean(axis=0)) - (frontal[2] - frontal[:2].mean(axis=0))
        eyes = turned[1] - turned[0]
        to_image_right, up, clockwise = nose[0], -nose[1], np.arctan2(eyes[1], eyes[0])
        measured = head_angles(network_answer(pose), angles)[0]
        np.testing.assert_allclose(measured, pose, atol=1e-6)
        which = int(np.argmax(np.abs(pose)))
        assert np.sign(measured[which]) == np.sign((to_image_right, up, clockwise)[which])

    def test_the_axes_that_the_authors_draw_lie_on_our_heads(self, shown):
        frontal, turned = shown[(0.0, 0.0, 0.0)], np.array([shown[tuple(pose)] for pose in MIXED])
        axes = [published_axes(*angles) for angles in euler_degrees(network_answer(MIXED))]
        sides, noses = np.array([side for side, _ in axes]), np.array([nose for _, nose in axes])
        eyes = (turned[:, 1] - turned[:, 0]) / np.linalg.norm(frontal[1] - frontal[0])
        np.testing.assert_allclose(eyes, sides, atol=0.1)
        protrusion = turned[:, 2] - turned[:, [0, 1, 3, 4]].mean(axis=1)
        assert [np.corrcoef(protrusion[:, k], noses[:, k])[0, 1] > 0.95 for k in range(2)] == [True, True]


@given(st.floats(-89, 89), st.floats(-60, 60), st.floats(-170, 170))
@settings(deadline=None)
def test_any_pose_is_recovered_from_its_matrix(yaw, pitch, roll):
    np.testing.assert_allclose(head_angles(network_answer([yaw, pitch, roll])), [[yaw, pitch, roll]], atol=1e-6)


def test_published_angles_are_another_order_of_rotation():
    yaw = [head_angles(network_answer([20, pitch, 20]), "published")[0, 0] for pitch in (-20, 20)]
    assert yaw == pytest.approx([10.7, 24.8], abs=0.1)
    both = head_angles(network_answer([150, 0, 0])), head_angles(network_answer([150, 0, 0]), "published")
    assert [angles[0, 0] for angles in both] == pytest.approx([150, 30])


class Compass(nn.Module):
    """Returns a rotation whose yaw in degrees is the mean red of the image, and stores its input."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, pixels):
        self.seen.append(pixels)
        red = (pixels[:, 0].mean(dim=(1, 2)) * 0.229 + 0.485) * 255
        return torch.from_numpy(network_answer([[float(yaw), 0, 0] for yaw in red])).float()


@pytest.fixture
def compass(monkeypatch):
    def build(**changes):
        monkeypatch.setattr(head_pose, "load_network", lambda card, path: Compass())
        return RotationNetPose(card(**changes), Path(), Execution(micro_batch=2))

    return build


def red(value, *shape):
    image = np.zeros((*shape, 3), np.uint8)
    image[..., 0] = value
    return image


class TestPlayer:
    def test_uses_the_central_square_of_images_of_any_size(self, compass):
        player = compass()
        striped = red(80, 60, 100)
        striped[:, 20:80, 0] = 30
        found = player.pose([red(10, 224, 224), striped, red(20, 112, 112), red(40, 300, 60)], None)
        np.testing.assert_allclose(found[:, 0], [10, 30, 20, 40], atol=1e-3)
        assert {tuple(pixels.shape) for pixels in player._network.module.seen} == {(2, 3, 224, 224)}
        assert player.pose([]).shape == (0, 3)

    def test_input_is_imagenet_pixels_in_the_channel_order_of_the_card(self, compass):
        for channels, place in (("rgb", 0), ("bgr", 2)):
            player = compass(channels=channels)
            player.pose([red(255, 50, 50)])
            means = player._network.module.seen[0][0].mean(dim=(1, 2)).tolist()
            assert means[place] == pytest.approx((1 - 0.485) / 0.229, abs=1e-4)
            assert means[1] == pytest.approx(-0.456 / 0.224, abs=1e-4)

    def test_the_card_chooses_the_angles(self, compass):
        picture = [red(120, 64, 64)]
        assert compass().pose(picture)[0, 0] == pytest.approx(120, abs=1e-3)
        assert compass(arguments={"angles": "published"}).pose(picture)[0, 0] == pytest.approx(60, abs=1e-3)
        with pytest.raises(UserError, match="angles: Input should be 'recipe' or 'published'"):
            compass(arguments={"angles": "ours"})

    def test_resizing_in_float_moves_the_angles_of_the_whole_network_by_hundredths_of_a_degree(self, tmp_path):
        """As released Pillow resizes, which rounds to whole grey levels: 0.04 degrees with random weights."""
        weights = random_weights(tmp_path)
        picture = [np.ascontiguousarray(astronaut()[:400, 50:450])]
        found = {
            way: RotationNetPose(card(resized_by=way), weights, Execution()).pose(picture)
            for way in ("float", "pillow")
        }
        assert 0.001 < np.abs(found["float"] - found["pillow"]).max() < 0.1

    def test_a_result_of_the_whole_network_does_not_depend_on_its_batch(self, tmp_path):
        player = RotationNetPose(card(input_size=64), random_weights(tmp_path), Execution(micro_batch=2))
        noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
        together = player.pose(list(noise))
        assert np.abs(together).max() < 45
        assert len(np.unique(together[:, 0])) == 3
        np.testing.assert_array_equal(player.pose([noise[1]])[0], together[1])
        np.testing.assert_array_equal(player.pose([noise[2], noise[1]])[1], together[1])
