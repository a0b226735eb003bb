import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from synfiqa.actors.degradation.degrade import (
    clean_crop_and_degrade,
    degrade,
    draw_kernel,
    face_box_crop,
    portrait_recipe,
    sample_scale,
)
from synfiqa.actors.degradation.recipe_sampler import degraded_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, align, similarity_transform, warp
from synfiqa.actors.imaging.released_alignment import released_transform
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.recipe import Light, Recipe
from synfiqa.schemas.seeds import generator

FACE = cv2.resize(astronaut()[45:195, 150:300], (112, 112), interpolation=cv2.INTER_AREA)
LANDMARKS = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]])

seeds = st.integers(0, 2**63 - 1)
levels = st.floats(1, 8)
profiles = st.sampled_from(["corrected", "faithful"])


def recipe(seed=0, downsample=1.0, blur=1.0, profile="corrected", kind="degraded"):
    return Recipe(kind=kind, seed=seed, downsample=downsample, blur=blur, profile=profile)


def spot():
    y, x = np.mgrid[:112, :112] - 55.5
    return np.repeat((240 * np.exp(-(x**2 + y**2) / 200)).astype(np.uint8)[..., None], 3, axis=2)


def centroid(image):
    grey = image[..., 0].astype(float)
    y, x = np.mgrid[:112, :112]
    return np.array([(grey * x).sum(), (grey * y).sum()]) / grey.sum()


class TestSampleScale:
    section = DegradedSection()

    def draws(self, count=40_000):
        rng = generator(7)
        return np.array(
            [sample_scale(rng, self.section.scale_intervals, self.section.scale_weights) for _ in range(count)]
        )

    def test_follows_the_published_distribution(self):
        values = self.draws()
        assert np.mean(values == 1) == pytest.approx(0.1846, abs=0.008)
        assert values.mean() == pytest.approx(1.57, abs=0.02)
        quantiles = np.quantile(values, [0.5, 0.75, 0.9, 0.95, 0.99])
        np.testing.assert_allclose(quantiles, [1.31, 1.55, 2.51, 3.44, 6.02], rtol=0.04)
        assert values.max() <= 8

    def test_weight_zero_is_never_drawn(self):
        rng = generator(1)
        values = [sample_scale(rng, [(1, 2), (3, 4), (5, 6)], [0, 1, 0]) for _ in range(500)]
        assert min(values) >= 3
        assert max(values) <= 4


class TestKernel:
    @settings(deadline=None)
    @given(seeds, levels, levels, profiles)
    def test_stays_within_the_published_ranges(self, seed, s, b, profile):
        kernel = draw_kernel(generator(seed), s, b, profile)
        assert kernel.taps.sum() == pytest.approx(1)
        for variance in (kernel.lambda1, kernel.lambda2):
            assert 0.175 * s <= variance <= s * b
        assert 0 <= kernel.theta < np.pi

    @settings(deadline=None)
    @given(seeds, levels, levels)
    def test_corrected_is_point_symmetric(self, seed, s, b):
        taps = draw_kernel(generator(seed), s, b, "corrected").taps
        np.testing.assert_array_equal(taps, taps[::-1, ::-1])

    @settings(deadline=None)
    @given(seeds, st.floats(1, 4), st.floats(1.01, 4))
    def test_faithful_is_shifted_by_half_of_s(self, seed, s, b):
        taps = draw_kernel(generator(seed), s, b, "faithful").taps
        position = np.arange(21)
        centre = np.array([(taps.sum(axis=1) * position).sum(), (taps.sum(axis=0) * position).sum()])
        np.testing.assert_allclose(centre, 10 + s / 2, atol=0.25)

    def test_variances_and_angle_shape_the_gaussian(self):
        # Without noise (b small against 1) the second moments are Q diag(lambda) Q^T.
        kernel = draw_kernel(generator(5), 4.0, 1.0, "corrected")
        y, x = np.mgrid[:21, :21] - 10.0
        cov = np.array([[(kernel.taps * p * q).sum() for q in (x, y)] for p in (x, y)])
        c, s = np.cos(kernel.theta), np.sin(kernel.theta)
        rotation = np.array([[c, -s], [s, c]])
        np.testing.assert_allclose(cov, rotation @ np.diag([kernel.lambda1, kernel.lambda2]) @ rotation.T, atol=0.25)


class TestDegrade:
    @settings(deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_corrected_does_not_change_an_undegraded_image(self, seed):
        noise = np.random.default_rng(seed).integers(0, 256, (112, 112, 3)).astype(np.uint8)
        result = degrade(noise, recipe(seed))
        np.testing.assert_array_equal(result.image, noise)
        assert result.lambda1 is result.lambda2 is result.theta is None

    def test_faithful_halves_the_resolution_of_an_undegraded_image(self):
        fine = np.indices((112, 112)).sum(axis=0) % 2 * 255
        fine = np.repeat(fine.astype(np.uint8)[..., None], 3, axis=2)
        assert degrade(fine, recipe(profile="faithful")).image.std() < 0.1 * fine.std()

    @settings(max_examples=40, deadline=None)
    @given(seeds, st.floats(1, 5), st.floats(1, 5))
    def test_corrected_shifts_nothing(self, seed, s, b):
        moved = centroid(degrade(spot(), recipe(seed, s, b)).image) - centroid(spot())
        np.testing.assert_allclose(moved, 0, atol=0.12)

    @settings(max_examples=40, deadline=None)
    @given(seeds, st.floats(1, 4), st.floats(1.01, 3))
    def test_faithful_shifts_content_up_left_by_half_of_s(self, seed, s, b):
        moved = centroid(degrade(spot(), recipe(seed, s, b, "faithful")).image) - centroid(spot())
        np.testing.assert_allclose(moved, -s / 2, atol=0.3)

    @settings(max_examples=40, deadline=None)
    @given(seeds, levels, levels)
    def test_corrected_keeps_the_mean_grey_level(self, seed, s, b):
        image = degrade(FACE, recipe(seed, s, b)).image
        assert image.mean() == pytest.approx(FACE.mean(), abs=0.6)

    def test_faithful_blur_darkens(self):
        pairs = [
            (degrade(FACE, recipe(seed, 1, 2)).image, degrade(FACE, recipe(seed, 1, 2, "faithful")).image)
            for seed in range(20)
        ]
        darker = np.mean([corrected.mean() - faithful.mean() for corrected, faithful in pairs])
        assert 0.15 < darker < 0.8

    @settings(max_examples=25, deadline=None)
    @given(seeds, levels, levels, profiles)
    def test_equal_recipes_give_equal_bytes_and_do_not_change_the_input(self, seed, s, b, profile):
        before = FACE.copy()
        first, second = (degrade(FACE, recipe(seed, s, b, profile)) for _ in range(2))
        assert first.image.tobytes() == second.image.tobytes()
        assert (first.lambda1, first.lambda2, first.theta) == (second.lambda1, second.lambda2, second.theta)
        np.testing.assert_array_equal(before, FACE)

    def test_seeds_differ(self):
        one, two = degrade(FACE, recipe(1, 2, 3)), degrade(FACE, recipe(2, 2, 3))
        assert one.lambda1 != two.lambda1
        assert (one.image != two.image).any()

    @pytest.mark.parametrize("factor", ["downsample", "blur"])
    def test_detail_falls_with_each_factor(self, factor):
        detail = [
            np.mean(
                [
                    degrade(FACE, recipe(seed, **{factor: level})).image.astype(float).std(axis=0).mean()
                    for seed in range(8)
                ]
            )
            for level in (1, 2, 4, 8)
        ]
        assert detail == sorted(detail, reverse=True)

    @pytest.mark.parametrize("image", [np.zeros((128, 128, 3), np.uint8), np.zeros((112, 112, 3), np.float32)])
    def test_wrong_input_is_refused(self, image):
        with pytest.raises(ValueError, match="uint8 images of shape"):
            degrade(image, recipe())


class TestFace:
    photo = astronaut()

    @pytest.mark.parametrize("profile", ["corrected", "faithful"])
    def test_references_are_aligned_and_never_degraded(self, profile):
        face = clean_crop_and_degrade(self.photo, LANDMARKS, recipe(1, 8, 8, profile, kind="reference"))
        np.testing.assert_array_equal(face.clean, face.image)
        assert face.lambda1 is face.lambda2 is face.theta is None

    @pytest.mark.parametrize("profile", ["corrected", "faithful"])
    def test_landmarks_are_those_of_the_aligned_image(self, profile):
        face = clean_crop_and_degrade(self.photo, LANDMARKS, recipe(1, 2, 2, profile))
        assert np.abs(face.landmarks - ARCFACE_TEMPLATE).max() < 8
        # Aligning the result again by its own landmarks changes nothing.
        transform = similarity_transform if profile == "corrected" else released_transform
        again = warp(face.clean[None], transform(face.landmarks[None]))[0].astype(int)
        assert np.abs(again - face.clean)[8:-8, 8:-8].mean() < 1

    def test_fine_noise_of_a_large_image_is_averaged_and_not_sampled(self):
        smooth = cv2.resize(self.photo[20:220, 120:320], (512, 512), interpolation=cv2.INTER_CUBIC)
        landmarks = ARCFACE_TEMPLATE * 3.2 + 70
        noise = np.random.default_rng(0).normal(0, 30, smooth.shape)
        noisy = np.clip(smooth + noise, 0, 255).round().astype(np.uint8)
        clean = align([smooth], landmarks[None])[0].astype(int)
        sampled = align([noisy], landmarks[None])[0]
        made = clean_crop_and_degrade(noisy, landmarks, recipe()).clean
        assert np.abs(made - clean).mean() < 0.6 * np.abs(sampled - clean).mean()

    def test_rendered_portraits_of_the_default_size_keep_their_bytes(self):
        """The quickstart's digest must not change: below twice the output's resolution nothing is averaged."""
        wide = DegradedSection(yaw_std=60, misalignment_rate=0)
        for seed in range(3):
            recipes = degraded_recipes(seed, 0, 4, wide, "corrected")
            shown = HeadRenderer().render(sample_identity(seed), recipes, 128)
            plain = warp(shown.images, similarity_transform(shown.landmarks))
            for image, landmarks, asked, expected in zip(shown.images, shown.landmarks, recipes, plain, strict=True):
                np.testing.assert_array_equal(clean_crop_and_degrade(image, landmarks, asked).clean, expected)

    def test_profiles_show_the_same_clean_face(self):
        corrected, faithful = (
            clean_crop_and_degrade(self.photo, LANDMARKS, recipe(profile=profile))
            for profile in ("corrected", "faithful")
        )
        # The released estimate of the alignment enlarges this face by 1.05.
        assert np.abs(corrected.landmarks - faithful.landmarks).max() < 1.5
        # Beside that they differ by one more resampling, and by what lies outside of the released face box.
        middle = np.s_[30:100, 30:85]
        expected = warp([self.photo], released_transform(LANDMARKS[None]))[0]
        assert np.abs(expected[middle].astype(int) - faithful.clean[middle]).mean() < 6
        assert degrade(corrected.clean, recipe()).image.tobytes() == corrected.image.tobytes()

    def test_face_box_holds_the_landmarks_and_is_black_outside_of_the_portrait(self):
        crop, points = face_box_crop(np.full((128, 128, 3), 255, np.uint8), ARCFACE_TEMPLATE * 0.6 + (75, 0))
        assert points.min() > 5
        assert points.max() < 107
        assert crop.min() == 0
        assert crop.max() == 255

    def test_the_box_of_the_detector_is_raised_over_the_forehead_and_padded_to_a_square(self):
        """As released: top := min(top, eye - |eye - mouth|), then the shorter side is padded on both sides."""
        portrait = np.zeros((200, 200, 3), np.uint8)
        portrait[:, :, 0], portrait[:, :, 1] = np.arange(200)[None], np.arange(200)[:, None]
        landmarks = np.array([[80, 100], [120, 100], [100, 115], [85, 130.0], [115, 130]])
        crop, points = face_box_crop(portrait, landmarks, np.array([70.0, 90.0, 130.0, 150.0]))
        # The forehead is at 100 - 30, above the box: it is 70..150 high, 60 wide, and padded by 10 left and right.
        scale = 112 / 80
        # x / width * 112, as released: pixel centres would lie half a pixel times (112 / side - 1) further.
        np.testing.assert_allclose(points[0], ((80 - 60) * scale, (100 - 70) * scale))
        assert crop[0, 0].tolist() == [60, 70, 0]
        assert crop[-1, -1].tolist() == [139, 149, 0]
        high, _ = face_box_crop(portrait, landmarks, np.array([70.0, 20.0, 130.0, 150.0]))
        assert high[0, 0, 1] == 20, "a box that reaches higher stays"

    def test_an_absurd_box_takes_no_memory(self):
        portrait = np.zeros((100, 100, 3), np.uint8)
        wild = np.array([-1e9, -1e9, 1e9, 1e9])
        assert face_box_crop(portrait, LANDMARKS / 3, wild)[0].shape == (112, 112, 3)

    def test_coinciding_eyes_and_mouth_are_refused(self):
        with pytest.raises(ValueError, match="face box"):
            face_box_crop(np.zeros((128, 128, 3), np.uint8), np.full((5, 2), 50.0))


class TestFaults:
    def test_motion_and_noise_change_the_crop_and_nothing_else_does(self):
        plain = degrade(FACE, recipe(3)).image
        for fault in ({"motion": 8.0}, {"noise": 12.0}):
            made = Recipe(kind="degraded", seed=3, **fault)
            assert (degrade(FACE, made).image != plain).mean() > 0.3
            assert degrade(FACE, made).image.tobytes() == degrade(FACE, made).image.tobytes()
        far = Recipe(kind="degraded", seed=3, camera_distance=1.5, light=Light(exposure=0.1, cast=1.0), jpeg_quality=5)
        np.testing.assert_array_equal(degrade(FACE, far).image, plain)

    def test_noise_comes_after_the_loss_of_resolution_and_stays_fine(self):
        coarse = Recipe(kind="degraded", seed=3, downsample=8.0, noise=20.0)
        difference = degrade(FACE, coarse).image.astype(float) - degrade(FACE, recipe(3, downsample=8.0)).image
        assert difference.std() > 14
        steps = np.diff(difference.mean(axis=2), axis=1)
        assert steps.std() > difference.mean(axis=2).std(), "neighbours are independent"

    def test_motion_of_different_seeds_has_different_directions(self):
        images = [degrade(FACE, Recipe(kind="degraded", seed=seed, motion=15.0)).image for seed in range(6)]
        assert len({image.tobytes() for image in images}) == 6

    def test_the_faithful_profile_applies_no_faults(self):
        plain = degrade(FACE, recipe(3, 2.0, 2.0, "faithful")).image
        commanded = Recipe(kind="degraded", seed=3, downsample=2, blur=2, motion=20, noise=40, profile="faithful")
        np.testing.assert_array_equal(degrade(FACE, commanded).image, plain)


def test_recipes_that_differ_in_the_crop_alone_share_a_portrait():
    plain = Recipe(kind="degraded", seed=3, light=Light(exposure=0.4), camera_distance=1.5)
    spoilt = plain.model_copy(
        update={"misalignment": 40.0, "downsample": 3.0, "blur": 4.0, "motion": 9.0, "noise": 30.0, "jpeg_quality": 7}
    )
    assert portrait_recipe(spoilt) == portrait_recipe(plain)
    assert portrait_recipe(plain.model_copy(update={"camera_distance": 2.0})) != portrait_recipe(plain)
    rendered = HeadRenderer(supersample=1).render(sample_identity(2), [plain, spoilt, portrait_recipe(spoilt)], 64)
    np.testing.assert_array_equal(rendered.images[0], rendered.images[1])
    np.testing.assert_array_equal(rendered.images[0], rendered.images[2])
