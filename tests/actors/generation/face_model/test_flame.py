import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from synfiqa.actors.generation.face_model.flame_files import PARENTS


def posed_one_by_one(arrays, shape, expression, pose):
    """Linear blend skinning from its definition, in double precision, vertex by vertex."""
    basis = np.concatenate([arrays.shape_basis, arrays.expression_basis], axis=2).astype(float)
    shaped = arrays.template + basis @ np.concatenate([shape, expression])
    joints = arrays.joint_regressor.astype(float) @ shaped
    vectors = [pose[:3], np.zeros(3), pose[3:], np.zeros(3), np.zeros(3)]
    turns = [Rotation.from_rotvec(vector).as_matrix() for vector in vectors]
    bent = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    motions = []
    for joint, parent in enumerate(PARENTS):
        # Turn about the joint at rest, then apply the parent's motion.
        own = np.eye(4)
        own[:3, :3], own[:3, 3] = turns[joint], joints[joint] - turns[joint] @ joints[joint]
        motions.append(own if parent < 0 else motions[parent] @ own)
    found = np.empty_like(shaped)
    for vertex in range(len(shaped)):
        place = shaped[vertex] + arrays.pose_basis[vertex].astype(float) @ bent
        motion = sum(weight * motion for weight, motion in zip(arrays.weights[vertex], motions, strict=True))
        found[vertex] = motion[:3, :3] @ place + motion[:3, 3]
    return found


@pytest.fixture
def codes(numbers):
    return numbers(2, 100), numbers(2, 50), numbers(2, 6, spread=0.4)


def test_vertices_are_those_of_a_slow_loop_in_double_precision(flame_model, flame_arrays, codes):
    found = flame_model.geometry(*codes)
    assert found.shape == (2, 5023, 3)
    for row in range(2):
        expected = posed_one_by_one(flame_arrays, *(code[row].double().numpy() for code in codes))
        np.testing.assert_allclose(found[row], expected, atol=2e-6)


def test_at_rest_the_surface_is_the_template_and_its_blended_shapes(flame_model, flame_arrays, codes):
    shape, expression, _ = codes
    found = flame_model.geometry(shape[:1], expression[:1], torch.zeros(1, 6))[0]
    expected = flame_arrays.template.astype(float) + flame_arrays.shape_basis @ shape[0].double().numpy()
    expected += flame_arrays.expression_basis @ expression[0].double().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_head_turns_as_a_whole_about_its_root_joint(flame_model, flame_arrays):
    pose = torch.tensor([[0.0, torch.pi / 2, 0, 0, 0, 0]])
    found = flame_model.geometry(torch.zeros(1, 100), torch.zeros(1, 50), pose)[0].numpy()
    root = flame_arrays.joint_regressor[0] @ flame_arrays.template
    # A quarter turn about y: what faced ahead (+z) faces image-right (+x).
    expected = (flame_arrays.template - root) @ np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]]) + root
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_jaw_moves_its_vertices_and_opens_downwards(flame_model, flame_arrays):
    pose = torch.zeros(1, 6)
    pose[0, 3] = 0.3
    rest, opened = (flame_model.geometry(torch.zeros(1, 100), torch.zeros(1, 50), p)[0] for p in (pose * 0, pose))
    moved = (opened - rest).norm(dim=1).numpy()
    jaw = flame_arrays.weights[:, 2]
    assert moved[jaw > 0.8].min() > moved[jaw < 1e-3].mean()
    chin = int(np.argmax(np.where(jaw > 0.5, flame_arrays.template[:, 2], -1)))
    assert opened[chin, 1] < rest[chin, 1]


def test_rows_do_not_depend_on_each_other(flame_model, codes):
    both = flame_model.geometry(*codes)
    other = flame_model.geometry(*(torch.cat([code[:1], code[1:] * 9]) for code in codes))
    assert torch.equal(both[0], other[0])


def test_albedo_is_mean_plus_directions_turned_from_bgr_to_rgb(flame_model, flame_arrays, numbers):
    texture = numbers(2, 50)
    found = flame_model.albedo(texture)
    assert found.shape == (2, 3, 256, 256)
    for row, column in ((0, 0), (3, 250), (128, 7)):
        blue_first = (
            flame_arrays.texture_mean[row, column] + flame_arrays.texture_basis[row, column] @ texture[1].numpy()
        )
        np.testing.assert_allclose(found[1, :, row, column], blue_first[::-1] / 255, atol=1e-5)


def test_normals_of_the_random_files_point_outwards(flame_model):
    from synfiqa.actors.generation.face_model.camera import vertex_normals

    vertices = flame_model.geometry(torch.zeros(1, 100), torch.zeros(1, 50), torch.zeros(1, 6))
    normals = vertex_normals(vertices, flame_model.faces)[0]
    used = flame_model.faces.unique()
    assert (normals[used] * vertices[0, used]).sum(1).min() > 0
