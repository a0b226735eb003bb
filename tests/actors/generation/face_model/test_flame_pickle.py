import pickle

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from synfiqa.actors.generation.face_model.flame_pickle import read_flame_pickle
from synfiqa.schemas.errors import UserError
from tests.actors.generation.face_model import python2_pickle

ARRAYS = {
    "floats": np.arange(24, dtype=np.float64).reshape(2, 3, 4),
    "columns_first": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "big_endian": np.arange(5, dtype=">i4"),
    "unsigned": np.array([2**32 - 1], np.uint32),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3)),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "generic_model.pkl"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_arrays_of_every_protocol_are_read(path, protocol):
    path.write_bytes(pickle.dumps(ARRAYS, protocol=protocol))
    found = read_flame_pickle(path)
    assert found.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype


def test_the_strings_of_python_2_are_bytes(path):
    python2_pickle.write(path, ARRAYS)
    assert b"chumpy" not in path.read_bytes()
    for name, found in read_flame_pickle(path).items():
        np.testing.assert_array_equal(found, ARRAYS[name])


def test_chumpy_and_sparse_matrices_are_read_without_their_code(path):
    dense = np.array([[0, 2.0, 0], [1, 0, 3]])
    python2_pickle.write(path, {"a": python2_pickle.chumpy_array(dense), "b": csc_matrix(dense), "name": "lbs"})
    assert b"chumpy.ch" in path.read_bytes()
    found = read_flame_pickle(path)
    assert found.keys() == {"a", "b"}
    np.testing.assert_array_equal(found["a"], dense)
    np.testing.assert_array_equal(found["b"], dense)


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_file_that_calls_a_function_is_refused_by_its_name(path, tmp_path, protocol):
    import os

    path.write_bytes(pickle.dumps({"a": Calls(os.mkdir, str(tmp_path / "was_here"))}, protocol=protocol))
    with pytest.raises(UserError, match=r"names \w+\.mkdir, which no FLAME file needs"):
        read_flame_pickle(path)
    assert not (tmp_path / "was_here").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"a": Calls(eval, "1")}, "eval"),
        ({"a": Calls(getattr, "", "join")}, "getattr"),
        ({"a": csr_matrix(np.eye(2))}, "csr_matrix"),
        ({"a": np.array([{}], dtype=object)}, "'O8'"),
        ({"a": np.zeros(2, dtype=[("b", "f4")])}, "'V4'"),
        ([1, 2], "no dictionary"),
    ],
)
def test_other_objects_are_refused(path, content, complaint):
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match=complaint) as caught:
        read_flame_pickle(path)
    assert str(path) in str(caught.value)


def test_functions_of_the_reader_cannot_be_changed_by_a_file(path):
    # c: a name; then }: an empty state; X: a key; (K: a value; s: put; b: build the object with this state.
    script = b"\x80\x02ccopy_reg\n_reconstructor\n}X\x09\x00\x00\x00_functionK\x01sb."
    path.write_bytes(script)
    with pytest.raises(UserError):
        read_flame_pickle(path)
    path.write_bytes(pickle.dumps(ARRAYS, protocol=2))
    assert read_flame_pickle(path).keys() == ARRAYS.keys()


def test_sparse_indices_outside_the_matrix_are_refused(path):
    matrix = csc_matrix(np.eye(3))
    matrix.indices[1] = 77
    python2_pickle.write(path, {"a": matrix})
    with pytest.raises(UserError, match="no FLAME model"):
        read_flame_pickle(path)


@pytest.mark.parametrize("kept", [0, 1, 50, 300])
def test_damaged_files_are_named(path, kept):
    path.write_bytes(pickle.dumps(ARRAYS, protocol=2)[:kept])
    with pytest.raises(UserError, match=r"download generic_model.pkl of FLAME 2020 again"):
        read_flame_pickle(path)
