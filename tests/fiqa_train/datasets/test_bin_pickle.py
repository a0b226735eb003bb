"""The restricted reader of .bin: every honest spelling of a set, and no code of a hostile one."""

import os
import pickle
import subprocess

import numpy as np
import pytest

from synfiqa.fiqa_train.datasets.bin_pickle import read_bin

IMAGES = [b"one", b"two\xff\x00", b"three", b"one"]
LABELS = [True, False]


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "content",
    [
        (IMAGES, LABELS),
        [IMAGES, LABELS],
        (tuple(IMAGES), tuple(LABELS)),
        (IMAGES, [1, 0]),
        (IMAGES, [np.bool_(True), np.bool_(False)]),
        (IMAGES, np.array(LABELS)),
        ([np.frombuffer(image, np.uint8) for image in IMAGES], LABELS),
    ],
    ids=["tuple", "list", "tuples", "integers", "numpy booleans", "boolean array", "byte arrays"],
)
def test_sets_are_read_whatever_protocol_wrote_them(content, protocol):
    assert read_bin(pickle.dumps(content, protocol)) == (IMAGES, LABELS)


def test_byte_strings_of_python_2_are_bytes():
    # (lists of 'ab' x 2, [I01]) by protocol 2 of Python 2: BINSTRING and the opcode I01.
    data = b"\x80\x02]q\x00(U\x02a\xffq\x01h\x01e]q\x02I01\na\x86q\x03."
    assert read_bin(data) == ([b"a\xff", b"a\xff"], [True])


class Bomb:
    def __init__(self, function, *arguments):
        self.made = function, arguments

    def __reduce__(self):
        return self.made


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bomb_does_not_run_and_is_named(tmp_path, protocol):
    target = tmp_path / "exploded"
    for bomb in (Bomb(os.system, f"touch {target}"), Bomb(subprocess.check_output, ["touch", str(target)])):
        data = pickle.dumps(([bomb, b"two"], [True]), protocol)
        with pytest.raises(
            ValueError, match=r"it names (posix|nt|subprocess|commands)\.\w+, which no verification set needs"
        ):
            read_bin(data)
    assert not target.exists()
    pickle.loads(pickle.dumps(Bomb(os.system, f"touch {target}"), protocol))
    assert target.exists(), "the bomb works where it is unpickled"


def test_what_is_allowed_cannot_be_called_to_do_harm():
    kind = Bomb(np.dtype, "O")
    with pytest.raises(ValueError, match="is no array"):
        read_bin(pickle.dumps(([kind, kind], [True])))
    with pytest.raises(ValueError, match="neither true nor false"):
        read_bin(pickle.dumps(([b"a", b"b"], [np.float64(1)])))


def test_a_huge_memo_number_takes_no_memory():
    data = b"\x80\x02]r\xff\xff\xff\x7f."
    with pytest.raises(ValueError, match="no pair"):
        read_bin(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "pickle exhausted|too early"),
        (b"no pickle at all", "opcode|instruction"),
        (pickle.dumps((IMAGES, LABELS))[:-9], "exhausted|too early|fit|expected"),
        (pickle.dumps((IMAGES, LABELS[:1])), "4 images for 1 pairs"),
        (pickle.dumps((IMAGES, LABELS, 1)), "no pair of images and labels"),
        (pickle.dumps({"images": IMAGES}), "EMPTY_DICT"),
        (pickle.dumps((IMAGES, [True, 7])), "neither true nor false"),
        (pickle.dumps(([1, 2], [True])), "no byte string"),
        (pickle.dumps(("ab", [True])), "images are no list"),
        (b"\x80\x04\x85.", "fit together"),
        (b"\x80\x04K\x01K\x01a.", "no list"),
        (b"\x80\x04K\x01K\x01R.", "no function"),
        (b"\x80\x04K\x01K\x01b.", "state"),
    ],
)
def test_other_content_is_refused_in_a_clause(data, told):
    with pytest.raises(ValueError, match=told):
        read_bin(data)
