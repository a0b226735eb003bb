"""SSIM: the published formula, and that of the face of a portrait."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from skimage.metrics import structural_similarity as reference

from synfiqa.actors.quality.measures.structural_similarity import portrait_similarity, structural_similarity

PHOTO = astronaut()[:160, 140:300].copy()
BOX = np.array([[40.0, 30.0], [110.0, 120.0]])


def blurred(sigma):
    return cv2.GaussianBlur(PHOTO, (0, 0), sigma)


@pytest.mark.parametrize("image", [blurred(2), 255 - PHOTO, np.random.default_rng(1).integers(0, 256, PHOTO.shape)])
def test_it_is_that_of_scikit_image(image):
    image = image.astype(np.uint8)
    grey = [picture.astype(float) @ (0.299, 0.587, 0.114) for picture in (PHOTO, image)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert structural_similarity(PHOTO, image) == pytest.approx(reference(*grey, **options), abs=1e-9)


def test_equal_images_have_one_and_blur_lowers_it():
    values = [structural_similarity(PHOTO, blurred(sigma)) for sigma in (0.5, 1, 2, 4)]
    assert structural_similarity(PHOTO, PHOTO) == 1
    assert values == sorted(values, reverse=True)


def test_a_portrait_is_compared_at_its_face_alone():
    beside = PHOTO.copy()
    beside[:, :20] = 0
    assert portrait_similarity(PHOTO, beside, BOX) == 1
    inside = PHOTO.copy()
    inside[60:80, 60:80] = 0
    assert portrait_similarity(PHOTO, inside, BOX) < structural_similarity(PHOTO, inside)


def test_large_faces_are_compared_at_the_viewing_distance():
    large = [cv2.resize(picture, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC) for picture in (PHOTO, blurred(2))]
    whole = np.array([[0.0, 0.0], [799.0, 799.0]])
    step = round(800 / 256)
    small = [cv2.resize(picture, (800 // step, 800 // step), interpolation=cv2.INTER_AREA) for picture in large]
    assert portrait_similarity(*large, whole) == structural_similarity(*small) < structural_similarity(*large)


def test_a_face_at_the_corner_has_a_window_and_bad_sizes_are_named():
    assert portrait_similarity(PHOTO, PHOTO, np.array([[-40.0, -40.0], [-30.0, -30.0]])) == 1
    with pytest.raises(ValueError, match="one size"):
        structural_similarity(PHOTO, PHOTO[:50])
    with pytest.raises(ValueError, match="11 x 11 pixels"):
        structural_similarity(PHOTO[:9], PHOTO[:9])
