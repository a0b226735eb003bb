"""Aligned crops, several faces, which of them, and how small they may be."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from synfiqa.fiqa_train.scoring.photo_list import Photo
from synfiqa.fiqa_train.scoring.photographs import NO_FACE, SearchOptions, score_photos
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.errors import UserError

HEAD = np.ascontiguousarray(astronaut()[20:210, 130:320])


@pytest.fixture(scope="module")
def scorers():
    return {name: open_scorer(name) for name in ("sharpness", "bundled-quality")}


def photo(pixels, name="photo"):
    return Photo(name, lambda: pixels)


def group():
    """A picture with a large head on the left, a smaller one in the middle and a small one on the right."""
    picture = np.full((480, 720, 3), 120, np.uint8)
    for side, left, top in ((190, 10, 10), (150, 290, 170), (70, 600, 300)):
        picture[top : top + side, left : left + side] = cv2.resize(HEAD, (side, side), interpolation=cv2.INTER_AREA)
    return photo(picture, "group")


def rows(scorers, *photos, **options):
    return list(score_photos(photos, scorers, SearchOptions(**options)))


def test_aligned_crops_have_the_direct_score(scorers):
    """Crops of 112 x 112 were detected and aligned again: Spearman .70 with the direct score, many "no face"."""
    crops = np.stack([cv2.resize(HEAD, (112, 112)), np.full((112, 112, 3), 90, np.uint8)])
    large = np.zeros((200, 113, 3), np.uint8)
    found = rows(scorers, photo(crops[0]), photo(large, "large"), photo(crops[1]), aligned=True)
    for name, scorer in scorers.items():
        np.testing.assert_array_equal([found[0].scores[name], found[2].scores[name]], scorer.score(crops))
    assert [row.faces for row in found] == [1, 0, 1]
    assert found[0].box is found[0].detection is found[0].landmarks is None
    assert found[1].reason.startswith("large has 113 x 200 pixels: an aligned crop has 112 x 112")
    assert found[1].score is None


def test_the_number_of_faces_is_in_the_row_of_the_largest(scorers):
    (row,) = rows(scorers, group())
    assert (row.face, row.faces) == (0, 3)
    assert row.box[2] < 210
    assert row.score == row.scores["sharpness"]
    assert set(row.scores) == set(scorers)
    assert row.search_size == 640


def test_the_central_face(scorers):
    """In 2.5 % of LFW the largest face is not that of the subject."""
    (row,) = rows(scorers, group(), which="central")
    assert 290 < row.landmarks[2, 0] < 440
    assert (row.face, row.faces) == (0, 3)


@pytest.mark.parametrize(("which", "order"), [("largest", [0, 1, 2]), ("central", [1, 0, 2])])
def test_all_faces(scorers, which, order):
    found = rows(scorers, group(), photo(np.zeros((99, 99, 3), np.uint8), "none"), all_faces=True, which=which)
    assert [(row.path, row.face, row.faces) for row in found] == [
        *(("group", number, 3) for number in range(3)),
        ("none", 0, 0),
    ]
    lefts = [row.box[0] for row in found[:3]]
    assert [sorted(lefts).index(left) for left in lefts] == order
    assert found[3].reason == NO_FACE
    assert all(np.isfinite(list(row.scores.values())).all() for row in found[:3])


def test_faces_that_are_too_small_are_left_out(scorers):
    found = rows(scorers, group(), all_faces=True, min_face=50)
    assert len(found) == found[0].faces == 2
    (row,) = rows(scorers, group(), min_face=300)
    assert (row.reason, row.faces) == (NO_FACE, 0)


def test_the_search_size_is_set_and_stated(scorers):
    (row,) = rows(scorers, group(), search_size=320)
    assert (row.search_size, row.faces) == (320, 3)
    with pytest.raises(UserError, match="search size of 5 pixels"):
        rows(scorers, group(), search_size=5)


def test_places_are_in_pixels_of_a_photograph_that_was_decoded_at_a_fraction(scorers, monkeypatch):
    from synfiqa.actors.imaging import photo_decoding

    content = cv2.imencode(".png", group().read()[..., ::-1])[1].tobytes()
    (whole,) = rows(scorers, Photo("whole", lambda: content))
    monkeypatch.setattr(photo_decoding, "KEPT_PIXELS", 480 * 720 // 4)
    (half,) = rows(scorers, Photo("half", lambda: content))
    assert half.search_size == 360
    np.testing.assert_allclose(half.landmarks, whole.landmarks, atol=2)
    np.testing.assert_allclose(half.box, whole.box, atol=6)


def test_pixels_that_are_no_picture_and_files_that_fail_cost_their_own_row(scorers):
    def fail():
        raise PermissionError(13, "Permission denied")

    found = rows(scorers, Photo("locked", fail), photo(np.zeros((5, 5)), "float"), group(), batch=2)
    assert [row.reason for row in found] == [
        "locked cannot be read: Permission denied",
        "float must be uint8 RGB of shape (H, W, 3), not float64 (5, 5)",
        "",
    ]
