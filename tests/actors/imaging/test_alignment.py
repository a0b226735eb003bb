import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from skimage.transform import estimate_transform

from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.imaging import alignment
from synfiqa.actors.imaging.alignment import (
    ARCFACE_TEMPLATE,
    align,
    align_smoothly,
    similarity_transform,
    transform_points,
    warp,
    warp_batch,
)
from synfiqa.schemas.recipe import Pose, Recipe


def similarity(scale, degrees, x, y):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[[c, -s, x], [s, c, y]]])


finite = st.floats(-400, 400)
known = st.builds(similarity, st.floats(0.05, 20), st.floats(-180, 180), finite, finite)


def blobs(points, size=160, sigma=2.0):
    y, x = np.mgrid[:size, :size]
    grey = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.repeat((grey * 250).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def peak_near(image, point):
    x, y = np.round(point).astype(int)
    window = image[y - 5 : y + 6, x - 5 : x + 6, 0].astype(float)
    rows, columns = np.mgrid[y - 5 : y + 6, x - 5 : x + 6]
    return np.array([(window * columns).sum(), (window * rows).sum()]) / window.sum()


@settings(deadline=None)
@given(known)
def test_known_similarity_is_recovered_exactly(matrix):
    inverse = np.array([cv2.invertAffineTransform(matrix[0])])
    landmarks = transform_points(ARCFACE_TEMPLATE[None], inverse)
    np.testing.assert_allclose(similarity_transform(landmarks), matrix, rtol=1e-7, atol=1e-7)


@settings(deadline=None)
@given(known)
def test_points_are_equal_after_the_round_trip(matrix):
    points = np.array([[[0.0, 0.0], [111.0, 0.0], [3.5, 77.25]]])
    inverse = np.array([cv2.invertAffineTransform(matrix[0])])
    np.testing.assert_allclose(transform_points(transform_points(points, matrix), inverse), points, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_is_a_proper_similarity_even_of_mirrored_faces(seed, mirrored):
    points = ARCFACE_TEMPLATE + np.random.default_rng(seed).normal(0, 12, (5, 2))
    linear = similarity_transform((points * [-1, 1] if mirrored else points)[None])[0, :, :2]
    assert np.linalg.det(linear) > 0
    np.testing.assert_allclose(linear @ linear.T, np.linalg.det(linear) * np.eye(2), atol=1e-9)


def test_agrees_with_scikit_image_on_noisy_faces():
    rng = np.random.default_rng(3)
    landmarks = ARCFACE_TEMPLATE * 2.3 + 40 + rng.normal(0, 6, (50, 5, 2))
    expected = [estimate_transform("similarity", face, ARCFACE_TEMPLATE).params[:2] for face in landmarks]
    np.testing.assert_allclose(similarity_transform(landmarks), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (np.full((1, 5, 2), 7.0), "coincide"),
        (np.full((1, 5, 2), 1e9), "coincide"),
        (np.full((2, 5, 2), np.nan), "finite"),
        (np.zeros((5, 2)), "shape"),
    ],
)
def test_useless_landmarks_are_refused(landmarks, message):
    with pytest.raises(ValueError, match=message):
        similarity_transform(landmarks)


def test_no_faces_give_no_crops():
    assert align(np.zeros((0, 128, 128, 3), np.uint8), np.zeros((0, 5, 2))).shape == (0, 112, 112, 3)


def test_landmarks_land_on_the_template():
    landmarks = transform_points(ARCFACE_TEMPLATE[None], similarity(1.1, 17, 30, -5))
    aligned = align(blobs(landmarks[0])[None], landmarks)[0]
    for point in ARCFACE_TEMPLATE:
        np.testing.assert_allclose(peak_near(aligned, point), point, atol=0.15)


def test_outside_of_the_image_is_black_and_images_may_differ_in_size():
    white = [np.full((40, 60, 3), 255, np.uint8), np.full((200, 150, 3), 255, np.uint8)]
    small, large = warp(white, np.repeat(similarity(1, 0, 0, 0), 2, axis=0))
    assert small[:40, :60].min() == 255
    assert small[41:].max() == small[:, 61:].max() == 0
    assert large.min() == 255


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 9), st.integers(0, 8), st.integers(0, 8))
def test_antialiasing_shifts_nothing(factor, x, y):
    landmarks = ARCFACE_TEMPLATE[None] * factor + (x, y)
    photo = blobs(landmarks[0], size=112 * factor + 11, sigma=2.0 * factor)
    plain, smooth = align([photo], landmarks)[0], align([photo], landmarks, antialias=True)[0]
    for point in ARCFACE_TEMPLATE:
        np.testing.assert_allclose(peak_near(smooth, point), peak_near(plain, point), atol=0.05)


def test_antialiasing_averages_noise_away_that_bilinear_sampling_keeps():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    landmarks = ARCFACE_TEMPLATE[None] * 8
    assert align([noise], landmarks, antialias=True).std() < 0.35 * align([noise], landmarks).std()


def some_similarities(count, shape, seed=0):
    """Scales 0.1 to 4, any rotation, the middle of the crop anywhere in the picture."""
    random = np.random.default_rng(seed)
    matrices = np.concatenate(
        [similarity(*values, 0, 0) for values in random.uniform((0.1, -180), (4, 180), (count, 2))]
    )
    places = random.uniform(0, 1, (count, 2)) * shape[1::-1]
    matrices[:, :, 2] = 56 - (matrices[:, :, :2] @ places[..., None])[..., 0]
    return matrices


class TestTorch:
    """Pictures are compared in grey levels of 0..255, mean over all pixels and channels."""

    @staticmethod
    def assert_equal_to_opencv(images, matrices):
        reference = warp(images, matrices)
        found = warp_batch(torch.from_numpy(np.stack(images)), matrices).numpy()
        assert found.shape == reference.shape
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - reference).mean() < 0.1  # asked for: 0.5

    @pytest.mark.parametrize("shape", [(512, 512), (200, 333), (128, 90), (7, 3), (1, 1)])
    def test_warps_photographs_as_opencv_does(self, shape):
        photo = cv2.resize(astronaut(), shape[::-1], interpolation=cv2.INTER_AREA)
        self.assert_equal_to_opencv([photo] * 12, some_similarities(12, shape))

    def test_aligns_renders_as_opencv_does(self):
        recipes = [Recipe(kind="degraded", seed=seed, pose=Pose(yaw=yaw)) for seed, yaw in enumerate((-50, 0, 30))]
        faces = HeadRenderer(supersample=1).render(sample_identity(4), recipes, 128)
        self.assert_equal_to_opencv(list(faces.images), similarity_transform(faces.landmarks))

    def test_landmarks_land_on_the_template(self):
        landmarks = transform_points(ARCFACE_TEMPLATE[None], similarity(1.1, 17, 30, -5))
        picture = torch.from_numpy(blobs(landmarks[0])[None])
        aligned = warp_batch(picture, similarity_transform(landmarks))[0].numpy()
        for point in ARCFACE_TEMPLATE:
            np.testing.assert_allclose(peak_near(aligned, point), point, atol=0.15)

    def test_integer_positions_keep_their_pixels(self):
        noise = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3)).astype(np.uint8)
        still = np.repeat(similarity(1, 0, 0, 0), 2, axis=0)
        np.testing.assert_array_equal(warp_batch(torch.from_numpy(noise), still).numpy(), noise)
        np.testing.assert_array_equal(warp_batch(torch.from_numpy(noise).float(), still).numpy(), noise)

    def test_a_result_does_not_depend_on_its_batch(self):
        noise = torch.randint(0, 256, (5, 90, 70, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        matrices = some_similarities(5, (90, 70))
        together = warp_batch(noise, matrices)
        for index in range(5):
            one = slice(index, index + 1)
            assert torch.equal(warp_batch(noise[one], matrices[one]), together[one])

    @pytest.mark.parametrize("antialias", [False, True])
    def test_pictures_of_mixed_sizes_keep_their_places_on_a_device(self, antialias, monkeypatch):
        # "cpu:0" is a device like any other, while "cpu" means OpenCV; two pictures go at once.
        monkeypatch.setattr(alignment, "_CHUNK", 2 * 400 * 300 * 3)
        large, small = astronaut()[:400, 100:400], astronaut()[40:180, 150:300]
        images = [large, small, large[::-1], small, large]
        landmarks = np.stack([ARCFACE_TEMPLATE * image.shape[0] / 130 for image in images])
        expected = align(images, landmarks, antialias)
        found = align(images, landmarks, antialias, device="cpu:0")
        assert np.abs(found.astype(int) - expected).mean(axis=(1, 2, 3)).max() < 0.1

    def test_no_faces_give_no_crops(self):
        assert align([], np.zeros((0, 5, 2)), device="cpu:0").shape == (0, 112, 112, 3)

    @pytest.mark.gpu
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_a_gpu_aligns_as_opencv_does(self):
        photo = astronaut()
        landmarks = ARCFACE_TEMPLATE * 2 + np.random.default_rng(0).normal(0, 9, (16, 5, 2)) + 100
        found = align([photo] * 16, landmarks, device="cuda")
        assert np.abs(found.astype(int) - align([photo] * 16, landmarks)).mean() < 0.1


def test_smooth_alignment_leaves_noise_that_depends_smoothly_on_the_size_of_the_photograph():
    rng = np.random.default_rng(0)
    left = {}
    for scale in (1.0, 1.3, 1.95, 2.05, 4.0):
        landmarks = ARCFACE_TEMPLATE * scale + 8
        side = round(112 * scale) + 24
        noise = np.clip(np.rint(128 + rng.normal(0, 30, (side, side, 3))), 0, 255).astype(np.uint8)
        left[scale] = float(align_smoothly(noise, landmarks)[8:-8, 8:-8].std())
    assert left[1.95] == pytest.approx(left[2.05], rel=0.08)
    assert left[1.0] > left[1.3] > left[1.95] > left[4.0]


def test_smooth_alignment_puts_landmarks_on_the_template():
    for scale in (0.6, 1.7, 3.3, 9.3, 21.0):
        landmarks = ARCFACE_TEMPLATE * scale + 11
        side = round(112 * scale) + 30
        y, x = np.mgrid[:side, :side]
        spots = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (2 * scale) ** 2)) for px, py in landmarks)
        image = np.repeat(np.rint(250 * np.clip(spots, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)
        crop = align_smoothly(image, landmarks)[..., 0].astype(float)
        for px, py in ARCFACE_TEMPLATE:
            left, top = round(px) - 6, round(py) - 6
            part = crop[top : top + 13, left : left + 13]
            yy, xx = np.mgrid[top : top + 13, left : left + 13]
            assert ((part * xx).sum() / part.sum(), (part * yy).sum() / part.sum()) == pytest.approx((px, py), abs=0.2)


def test_a_large_face_is_aligned_as_it_is_without_the_rest_of_the_photograph(monkeypatch):
    """Whole photographs of 12 megapixels were filtered for a face in a corner: ten times the time."""
    rng = np.random.default_rng(0)
    landmarks = ARCFACE_TEMPLATE * 9.3 + (700, -180)  # beyond the top
    photo = cv2.GaussianBlur(rng.integers(0, 256, (1300, 2000, 3)).astype(np.uint8), (0, 0), 8)
    found = align_smoothly(photo, landmarks).astype(int)
    photo[:, :690], photo[880:] = 0, 0
    np.testing.assert_array_equal(found, align_smoothly(photo, landmarks))
    monkeypatch.setattr(alignment, "_LARGEST", 100)
    exact = align_smoothly(photo, landmarks).astype(int)
    assert np.abs(found - exact).mean() < 0.6
    assert np.abs(found - exact)[25:].max() <= 3
    assert (found[:17] == 0).all()
    assert (exact[:17] == 0).all()
