"""Score's search finds what MTCNN finds, completes faces at the frame, and searches large pictures again."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.face_analysis.photo_search import search as module
from synfiqa.actors.face_analysis.photo_search.search import LARGE_SIZE, SEARCH_SIZE, PhotoSearch
from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.errors import UserError

PHOTO = astronaut()
TIGHT = np.s_[62:172, 181:268]
"""The detector's own box of the astronaut."""


@pytest.fixture(scope="module")
def search():
    return PhotoSearch()


@pytest.fixture(scope="module")
def whole(search):
    """The face of the whole photograph."""
    (face,) = search.search(PHOTO).faces
    return face


def canvas(height, width, *faces):
    """A grey picture with the astronaut's head of (side, left, top)."""
    head = np.ascontiguousarray(PHOTO[20:210, 130:320])
    picture = np.full((height, width, 3), 120, np.uint8)
    for side, left, top in faces:
        shrink = cv2.INTER_AREA if side < 190 else cv2.INTER_LINEAR
        picture[top : top + side, left : left + side] = cv2.resize(head, (side, side), interpolation=shrink)
    return picture


PICTURES = {
    "astronaut": PHOTO,
    "a megapixel": canvas(900, 1200, (300, 700, 400)),
    "three faces": canvas(480, 640, (150, 20, 20), (90, 300, 100), (60, 500, 350)),
    "upright": canvas(1200, 700, (200, 200, 700)),
    "a small face": canvas(480, 640, (46, 301, 207)),
    "none": np.full((300, 300, 3), 90, np.uint8),
    "noise": np.random.default_rng(1).integers(0, 256, (200, 333, 3), dtype=np.uint8),
}


@pytest.mark.parametrize("name", PICTURES)
def test_faces_inside_are_those_of_mtcnn(name):
    """The same cascade, so that its landmarks lie within a hundredth of a pixel."""
    picture = PICTURES[name]
    (expected,) = MtcnnDetector().faces([picture])
    found = PhotoSearch(size=SEARCH_SIZE, thorough=True).search(picture).faces
    assert len(found) == len(expected)
    for face, other in zip(found, expected, strict=True):
        assert face.probability == pytest.approx(other.probability, abs=1e-4)
        np.testing.assert_allclose(face.landmarks, other.landmarks, atol=0.01)
        np.testing.assert_allclose(face.box, other.box, atol=0.01)


@pytest.mark.parametrize("name", PICTURES)
def test_the_largest_face_is_in_the_same_place_when_smaller_ones_are_left_out(search, name):
    picture = PICTURES[name]
    (expected,) = MtcnnDetector().detect([picture])
    (found,) = search.detect([picture])
    assert (found is None) == (expected is None)
    if expected is not None:
        np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.5)


def test_smaller_faces_are_searched_for_where_there_is_no_larger_one(search):
    small = (44, 500, 350)
    assert len(PhotoSearch(thorough=True).search(canvas(480, 640, (190, 20, 20), small)).faces) == 2
    assert len(search.search(canvas(480, 640, small)).faces) == 1


@pytest.mark.parametrize("part", [TIGHT, np.s_[:, :268], np.s_[:, 190:]], ids=["its box", "right edge", "left edge"])
def test_a_face_at_the_frame_has_the_landmarks_of_the_whole_picture(search, whole, part):
    """Its squared box left the picture and the rest was stretched: landmarks 8 to 20 px off, the score down by .25."""
    picture = np.ascontiguousarray(PHOTO[part])
    face = search.search(picture).faces[0]
    rows, columns = part
    shift = np.array([columns.start or 0, rows.start or 0])
    assert np.abs(face.landmarks + shift - whole.landmarks).max() < 3
    (before,) = MtcnnDetector().faces([picture])
    assert np.abs(before[0].landmarks + shift - whole.landmarks).max() > 5, "otherwise it needs no second search"
    places = [face.landmarks, whole.landmarks - shift, before[0].landmarks]
    crops = np.stack([align_smoothly(picture, place) for place in places])
    found, exact, stretched = open_scorer("bundled-quality").score(crops)
    assert found == pytest.approx(exact, abs=0.05)
    assert stretched < exact - 0.15


def test_a_second_search_at_the_frame_leaves_faces_inside_alone(search, monkeypatch):
    picture = canvas(400, 640, (150, 300, 120))
    picture[:190, :120] = PHOTO[20:210, 195:315]  # half a head at the left edge
    found = search.search(picture).faces
    monkeypatch.setattr(module, "completed_at_frame", lambda cascade, image, faces, min_face: faces)
    without = search.search(picture).faces
    assert len(found) == len(without) == 2
    inside, at_frame = (next(face for face in without if (face.box[0] > 200) == inside) for inside in (True, False))
    assert any(np.array_equal(face.landmarks, inside.landmarks) for face in found)
    assert not any(np.array_equal(face.landmarks, at_frame.landmarks) for face in found)


def test_a_small_face_in_a_large_photograph_is_found(search):
    """A face of 77 x 99 pixels in 6000 x 4000 was "no face found"."""
    picture = canvas(4000, 6000, (170, 3100, 1700))
    found = search.search(picture)
    assert found.size == LARGE_SIZE
    (face,) = found.faces
    assert 3100 < face.landmarks[2, 0] < 3270
    assert 1700 < face.landmarks[2, 1] < 1870
    assert 60 < face.box[2] - face.box[0] < 95
    assert PhotoSearch(size=SEARCH_SIZE).search(picture).faces == [], "as before"


def test_a_large_photograph_is_searched_again_only_as_needed(search):
    picture = canvas(1200, 1600, (500, 700, 400), (46, 100, 100))
    first = search.search(picture)
    assert (first.size, len(first.faces)) == (SEARCH_SIZE, 1)
    every = PhotoSearch(all_faces=True).search(picture)
    assert (every.size, len(every.faces)) == (1600, 2)
    smallest = PhotoSearch(min_face=15, all_faces=True).search(picture)
    assert (smallest.size, len(smallest.faces)) == (1600, 2)
    largest = PhotoSearch(min_face=100).search(picture)
    assert (largest.size, len(largest.faces)) == (SEARCH_SIZE, 1)
    assert PhotoSearch(min_face=50).search(canvas(1200, 1600, (300, 700, 400))).size == SEARCH_SIZE
    assert PhotoSearch(min_face=40).search(canvas(1200, 1600, (300, 700, 400))).size == 800
    assert PhotoSearch(min_face=400).search(picture).faces == []


def test_the_smallest_face_of_a_photograph_decoded_at_half_size_is_meant_in_its_own_pixels():
    picture = canvas(480, 640, (180, 100, 100))  # the face is 83 wide
    search = PhotoSearch(min_face=120)
    assert search.search(picture).faces == []
    assert len(search.search(picture, reduction=2).faces) == 1


def test_sizes_that_hold_no_face_are_refused():
    with pytest.raises(UserError, match="smallest face of 5 pixels cannot be found: name at least 12"):
        PhotoSearch(min_face=5)
    with pytest.raises(UserError, match="search size of 10 pixels holds no face: name at least 20"):
        PhotoSearch(size=10)


@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 1, 3), (19, 400, 3)])
def test_pictures_too_small_for_a_face_have_none(search, shape):
    assert search.search(np.zeros(shape, np.uint8)).faces == []


def test_other_arrays_are_refused(search):
    with pytest.raises(ValueError, match="uint8 RGB"):
        search.search(np.zeros((50, 50), np.uint8))


def test_a_face_does_not_depend_on_other_pictures(search):
    alone = search.faces([PHOTO])[0][0]
    again = search.faces([PICTURES["three faces"], PHOTO])[1][0]
    np.testing.assert_array_equal(alone.landmarks, again.landmarks)
