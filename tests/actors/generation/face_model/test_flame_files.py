import zipfile

import numpy as np
import pytest

from synfiqa.actors.generation.face_model.flame_files import _rows, _template_obj, read_flame
from synfiqa.actors.generation.face_model.flame_random import random_model
from synfiqa.schemas.errors import UserError
from tests.actors.generation.face_model import python2_pickle


@pytest.fixture
def folder(flame_folder, tmp_path):
    """Links to the whole files, each of which a test may replace."""
    for path in flame_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.fixture(scope="module")
def model():
    return random_model(3)


def replace(path, write):
    path.unlink(missing_ok=True)
    write(path)


def test_the_arrays_have_the_published_sizes(flame_arrays):
    found = {name: getattr(flame_arrays, name).shape for name in flame_arrays.__dataclass_fields__}
    assert found | {"uv": None} == {
        "template": (5023, 3),
        "shape_basis": (5023, 3, 100),
        "expression_basis": (5023, 3, 50),
        "pose_basis": (5023, 3, 36),
        "joint_regressor": (5, 5023),
        "weights": (5023, 5),
        "faces": (9976, 3),
        "uv": None,
        "uv_faces": (9976, 3),
        "texture_mean": (256, 256, 3),
        "texture_basis": (256, 256, 3, 50),
    }
    assert flame_arrays.uv.shape[1] == 2


def test_the_distributed_pickle_and_its_npz_form_hold_the_same(folder, flame_arrays, model):
    (folder / "generic_model.npz").unlink()
    python2_pickle.write(folder / "generic_model.pkl", python2_pickle.as_distributed(model))
    found = read_flame(folder)
    for name in flame_arrays.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name), getattr(flame_arrays, name), err_msg=name)


def test_expressions_are_the_columns_from_300_on(flame_arrays, model):
    np.testing.assert_array_equal(flame_arrays.shape_basis, model["shapedirs"][..., :100])
    np.testing.assert_array_equal(flame_arrays.expression_basis, model["shapedirs"][..., 300:350])


@pytest.mark.parametrize("order", ["C", "F"])
def test_textures_keep_every_second_texel_and_the_first_directions(tmp_path, order):
    random = np.random.default_rng(0)
    whole = random.integers(-99, 99, (8, 8, 3, 70)).astype(np.int16)
    np.savez(tmp_path / "t.npz", tex_dir=np.asarray(whole, order=order), mean=np.asarray(whole[..., 0], order=order))
    with zipfile.ZipFile(tmp_path / "t.npz") as archive:
        np.testing.assert_array_equal(_rows(archive, "tex_dir.npy", (8, 8, 3, 0)), whole[::2, ::2, :, :50])
        np.testing.assert_array_equal(_rows(archive, "mean.npy", (8, 8, 3)), whole[::2, ::2, :, 0])


def test_the_error_for_an_empty_folder_names_the_source_of_the_files(tmp_path):
    with pytest.raises(UserError, match=r"holds no generic_model.pkl: register at"):
        read_flame(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"v_template": np.zeros((5000, 3), np.float32)}, r"v_template is float32 \(5000, 3\) instead"),
        ({"weights": np.full((5023, 5), np.nan)}, "weights holds numbers that are not finite"),
        ({"kintree_table": np.zeros((2, 5), np.int64)}, "its joints are not root, neck, jaw"),
        ({"posedirs": None}, "it lacks posedirs"),
        ({"v_template": np.full((5023, 3), "a")}, "instead of numbers"),
    ],
)
def test_a_model_that_is_not_flame_is_refused(folder, model, change, complaint):
    arrays = {name: value for name, value in (model | change).items() if value is not None}
    replace(folder / "generic_model.npz", lambda path: np.savez(path, **arrays))
    with pytest.raises(UserError, match=complaint):
        read_flame(folder)


def test_arrays_of_objects_are_not_loaded(folder, model):
    objects = model | {"v_template": np.array([{}], dtype=object)}
    replace(folder / "generic_model.npz", lambda path: np.savez(path, **objects))
    with pytest.raises(UserError, match=r"no whole .npz file of plain arrays"):
        read_flame(folder)


@pytest.mark.parametrize("name", ["generic_model.npz", "FLAME_texture.npz", "head_template.obj"])
def test_a_truncated_file_is_named(folder, flame_folder, name):
    whole = (flame_folder / name).read_bytes()
    replace(folder / name, lambda path: path.write_bytes(whole[: len(whole) // 2]))
    with pytest.raises(UserError, match=name):
        read_flame(folder)


@pytest.mark.parametrize("name", ["FLAME_texture.npz", "head_template.obj"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        read_flame(folder)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("f 1/1 2/2 5024/3", "does not exist"), ("f 1/1 2/2 0/3", "does not exist"), ("f 1 2 3", "head_template.obj")],
)
def test_faces_that_name_no_vertex_are_refused(tmp_path, flame_folder, line, complaint):
    lines = (flame_folder / "head_template.obj").read_text().splitlines()
    lines[-1] = line
    (tmp_path / "head_template.obj").write_text("\n".join(lines))
    with pytest.raises(UserError, match=complaint):
        _template_obj(tmp_path / "head_template.obj")


@pytest.mark.parametrize(
    "arrays",
    [
        {"mean": np.zeros((512, 512, 3), np.int8)},
        {"mean": np.zeros((512, 512, 3), np.int8), "tex_dir": np.zeros((512, 512, 3, 20), np.int8)},
        {"mean": np.zeros((256, 256, 3), np.int8), "tex_dir": np.zeros((4, 4, 3, 50), np.int8)},
    ],
    ids=["no directions", "too few directions", "wrong sides"],
)
def test_another_texture_space_is_refused(folder, arrays):
    replace(folder / "FLAME_texture.npz", lambda path: np.savez(path, **arrays))
    with pytest.raises(UserError, match="is not the FLAME texture space"):
        read_flame(folder)


def test_the_pickle_is_preferred_where_both_lie(folder, model):
    (folder / "generic_model.pkl").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"generic_model\.pkl is no FLAME model"):
        read_flame(folder)
