"""`synfiqa.score` of whatever holds a picture: paths, arrays, tensors, PIL images."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import synfiqa
from synfiqa.schemas.errors import UserError

ASTRONAUT = data.astronaut()
FIRST = torch.from_numpy(ASTRONAUT).movedim(-1, 0)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("one") / "astronaut.png"
    Image.fromarray(ASTRONAUT).save(file)
    return file


@pytest.fixture(scope="module")
def expected(path):
    (found,) = synfiqa.score(str(path))
    assert found.path == str(path)
    assert 0.55 < found.score < 0.75
    return found.score


@pytest.mark.parametrize(
    ("images", "count"),
    [
        (ASTRONAUT, 1),
        (np.stack([ASTRONAUT] * 2), 2),
        ([ASTRONAUT, ASTRONAUT[:, ::1]], 2),
        (FIRST, 1),
        (FIRST[None], 1),
        (FIRST.double() / 255, 1),
        ((FIRST / 255).half()[None], 1),
        (Image.fromarray(ASTRONAUT), 1),
        ([Image.fromarray(ASTRONAUT).convert("RGBA"), FIRST], 2),
    ],
)
def test_whatever_holds_the_pixels_has_the_score_of_the_file(images, count, expected):
    found = synfiqa.score(images)
    assert [row.path for row in found] == [f"image {index}" for index in range(count)]
    assert [row.score for row in found] == pytest.approx([expected] * count, abs=2e-3)


def test_paths_and_folders_may_be_mixed(path, expected):
    assert [row.score for row in synfiqa.score([path, str(path.parent)])] == pytest.approx([expected])


def test_several_models_and_all_faces_at_once():
    pair = np.hstack([ASTRONAUT, ASTRONAUT])
    found = synfiqa.score(pair, ["bundled-quality", "sharpness"], options=synfiqa.SearchOptions(all_faces=True))
    assert [row.face for row in found] == [0, 1]
    assert all(list(row.scores) == ["bundled-quality", "sharpness"] for row in found)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (ASTRONAUT.astype(float), "an array is float64"),
        (ASTRONAUT[..., 0], "an array is uint8 \\(512, 512\\)"),
        (FIRST.movedim(0, -1), "give RGB with channels first"),
        (FIRST.float(), "values beyond 0..1"),
        (FIRST.int() * 2, "values beyond 0..255"),
        ([1], "images holds a int"),
        ([ASTRONAUT, "photo.jpg"], "mix paths and arrays"),
        ("absent.jpg", "does not exist"),
    ],
)
def test_other_forms_are_refused_in_one_sentence(images, message):
    with pytest.raises(UserError, match=message):
        synfiqa.score(images)
