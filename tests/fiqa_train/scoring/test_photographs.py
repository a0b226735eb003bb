"""Scoring photographs: found in order, aligned, and every failure keeps its file and its reason."""

import numpy as np
import pytest
from PIL import Image

from synfiqa.actors.face_analysis.photo_search.search import Searched
from synfiqa.actors.roles import Detection
from synfiqa.fiqa_train.scoring.photo_sources import file_photo, find_photos
from synfiqa.fiqa_train.scoring.photographs import BATCH, NO_FACE, score_photos
from synfiqa.schemas.errors import UserError

TEMPLATE = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])


class Finder:
    """Finds a face in every picture that is not black; an all-white one has impossible landmarks."""

    def search(self, image, reduction=1.0):
        face = self._one(image)
        return Searched([face] if face else [], max(image.shape))

    def _one(self, image):
        if image.max() == 0:
            return None
        landmarks = np.zeros((5, 2)) if image.min() == 255 else TEMPLATE * (image.shape[0] / 112)
        return Detection(0.9, np.array([1.0, 2.0, 30.0, 40.0]), landmarks)


class Brightness:
    def score(self, images):
        assert images.shape[1:] == (112, 112, 3)
        return images.mean(axis=(1, 2, 3)).astype(np.float32)


def save(path, value, size=112):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)
    return path


def test_folders_are_walked_and_nothing_comes_twice(tmp_path):
    files = [save(tmp_path / name, 9) for name in ("b.JPG", "a.png", "deep/er/c.webp")]
    (tmp_path / "notes.txt").write_text("no picture")
    found = [photo.path for photo in find_photos([tmp_path, tmp_path / "a.png"])]
    assert sorted(found) == sorted(files)
    assert found == sorted(found)
    assert [photo.name for photo in find_photos([str(tmp_path / "notes.txt")])] == [str(tmp_path / "notes.txt")], (
        "a file named outright is tried"
    )


def test_missing_paths_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        find_photos([tmp_path / "absent.jpg"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no photograph"):
        find_photos([tmp_path / "empty"])


def test_every_photo_has_one_row_in_order_with_score_or_reason(tmp_path):
    photos = [save(tmp_path / f"{index:02d}.png", 10 + index, 112 + index) for index in range(BATCH + 3)]
    photos[1] = save(tmp_path / "black.png", 0)
    photos[4] = save(tmp_path / "white.png", 255)
    photos[7] = tmp_path / "broken.jpg"
    photos[7].write_bytes(b"\xff\xd8\xff\xe0 not really a picture")
    photos[9] = tmp_path / "zero.png"
    photos[9].touch()
    rows = list(score_photos(map(file_photo, photos), {"brightness": Brightness()}, finder=Finder()))
    assert [row.path for row in rows] == [str(photo) for photo in photos]
    for index, row in enumerate(rows):
        assert (row.score is None) == bool(row.reason)
        if index not in (1, 4, 7, 9):
            assert row.score == pytest.approx(10 + index, abs=1)
            assert row.box == (1.0, 2.0, 30.0, 40.0)
    assert rows[1].reason == NO_FACE
    assert rows[1].detection is None
    assert "landmarks" in rows[4].reason
    assert rows[4].detection == 0.9
    assert "empty" in rows[9].reason


def test_a_batch_of_failures_is_no_problem(tmp_path):
    photos = [tmp_path / f"{index}.jpg" for index in range(3)]
    for photo in photos:
        photo.write_bytes(b"nonsense")
    assert [
        row.score for row in score_photos(map(file_photo, photos), {"brightness": Brightness()}, finder=Finder())
    ] == [None] * 3
