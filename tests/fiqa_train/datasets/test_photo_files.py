"""Photographs are detected and aligned, crops are not, and mixtures and damage are refused."""

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import synfiqa.fiqa_train.datasets.photo_files as photos
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.actors.roles import Detection
from synfiqa.fiqa_train.datasets.photo_files import NO_FACE, crops_of, foremost_face
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import save


def test_a_photograph_becomes_the_crop_that_scoring_makes_and_one_without_a_face_a_reason(tmp_path):
    picture = astronaut()
    Image.fromarray(picture).save(tmp_path / "a.png")
    save(tmp_path / "b.png", 3, 200)
    crops, origin = crops_of([tmp_path / "a.png", tmp_path / "b.png"], "x")
    (batch,) = list(crops())
    assert "MTCNN" in origin
    assert batch.reasons == ("", NO_FACE)
    landmarks = MtcnnDetector().detect([picture])[0].landmarks
    np.testing.assert_array_equal(batch.images[0], align_smoothly(picture, landmarks))
    assert not batch.images[1].any()


def face(x0, y0, x1, y1):
    return Detection(0.9, np.array([x0, y0, x1, y1], float), np.zeros((5, 2)))


def test_a_somewhat_larger_face_at_the_border_is_not_the_subject():
    middle, border, small = face(75, 75, 165, 165), face(0, 0, 100, 100), face(120, 120, 130, 130)
    assert foremost_face([border, small, middle], (250, 250)) is middle
    assert foremost_face([border], (250, 250)) is border
    assert foremost_face([], (250, 250)) is None


def test_useless_landmarks_are_a_reason(tmp_path, monkeypatch):
    class Zero:
        def faces(self, images):
            return [[face(0, 0, 50, 50)] for _ in images]

    monkeypatch.setattr(photos, "new_detector", Zero)
    crops, _ = crops_of([save(tmp_path / "a.png", 0, 200)], "x")
    (batch,) = list(crops())
    assert "coincide" in batch.reasons[0]


def test_crops_among_photographs_are_refused_by_name(tmp_path):
    files = [save(tmp_path / "photo.png", 0, 250), save(tmp_path / "crop.png", 1)]
    with pytest.raises(UserError, match=r"crop\.png is an aligned crop of 112 x 112 and .*photo\.png has 250 x 250"):
        crops_of(files, "x")


def test_files_that_are_no_images_are_refused_by_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"--on x: .*a\.png is no readable image"):
        crops_of([tmp_path / "a.png"], "x")
    file = save(tmp_path / "b.png", 0)
    crops, _ = crops_of([file], "x")
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(UserError, match=r"b\.png is a damaged image"):
        list(crops())
