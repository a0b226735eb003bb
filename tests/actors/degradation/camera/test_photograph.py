"""A photograph of a render: composition, size on the sensor, and landmarks that stay on the face."""

import numpy as np
import pytest

from synfiqa.actors.degradation.camera.linear_light import developed, to_light
from synfiqa.actors.degradation.camera.photograph import CROP_EYES, eye_distance, photographed
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, align_smoothly
from synfiqa.schemas.recipe import Recipe, Shot

SIZE = 120
PLAIN = Shot(quality=100)


def recipe(**shot: object) -> Recipe:
    return Recipe(kind="degraded", seed=5, profile="camera", shot=PLAIN.model_copy(update=shot))


@pytest.fixture(scope="module")
def portrait():
    rendered = HeadRenderer().render(sample_identity(3), [recipe()], SIZE)
    return rendered.images[0], rendered.landmarks[0]


def crop(portrait, **shot):
    taken = photographed(*portrait, recipe(**shot))
    return align_smoothly(taken.image, taken.landmarks).astype(float)


def test_e_is_that_of_the_template_and_its_size_on_the_sensor_is_commanded(portrait):
    assert eye_distance(ARCFACE_TEMPLATE) == pytest.approx(CROP_EYES)
    for eyes in (8, 20, 45):
        taken = photographed(*portrait, recipe(eyes=eyes))
        assert eye_distance(taken.landmarks) == pytest.approx(eyes, rel=0.03)


def test_a_camera_without_faults_shows_the_render(portrait):
    plain = align_smoothly(*portrait).astype(float)
    assert np.abs(crop(portrait, eyes=40) - plain).mean() < 4


@pytest.mark.parametrize("shot", [{"distortion": 0.3}, {"eyes": 14, "enlarged": 3}, {"cut_side": "left", "cut": 0.4}])
def test_landmarks_stay_on_the_face(portrait, shot):
    # Aligned by them the face lies where it lay: best correlated without a shift.
    plain, changed = (crop(portrait, **some)[30:100, 30:90, 1] for some in ({}, shot))
    plain, changed = plain - plain.mean(), changed - changed.mean()
    at = {
        (y, x): float((plain[6:-6, 6:-6] * np.roll(changed, (y, x), (0, 1))[6:-6, 6:-6]).sum())
        for y in range(-4, 5)
        for x in range(-4, 5)
    }
    best = max(at, key=at.__getitem__)
    assert max(map(abs, best)) <= 1


def test_a_picture_is_cut_at_the_commanded_distance_and_side(portrait):
    taken = photographed(*portrait, recipe(cut_side="bottom", cut=0.5))
    below = taken.image.shape[0] - 0.5 - taken.landmarks[:, 1].max()
    assert below == pytest.approx(0.5 * PLAIN.eyes, abs=2.2)
    whole = photographed(*portrait, recipe())
    assert whole.image.shape[0] > taken.image.shape[0]


def test_exposure_acts_on_light_and_noise_on_the_pixels_of_the_sensor(portrait):
    taken, dark = (photographed(*portrait, recipe(eyes=30, gain=gain)).image for gain in (1.0, 0.1))
    expected = developed(to_light(taken) * np.float32(0.1))
    assert np.abs(dark - expected).mean() < 2
    noisy = photographed(*portrait, recipe(eyes=30, noise=20, noise_kind="white")).image.astype(float)
    again = photographed(*portrait, recipe(eyes=30, noise=20, noise_kind="white")).image
    assert np.array_equal(noisy, again)
    assert 12 < (noisy - taken).std() < 22


def test_a_patch_hides_a_square_of_its_size(portrait):
    clean, hidden = (photographed(*portrait, recipe(eyes=40, patch=patch)).image.astype(int) for patch in (0, 0.8))
    changed = (np.abs(clean - hidden).max(axis=2) > 24).sum()
    assert changed == pytest.approx((0.8 * 40) ** 2, rel=0.25)


def test_the_composition_is_in_the_render():
    recipes = [
        recipe(),
        recipe(head=0.7),
        recipe(shift_x=1.0),
        recipe(turn=90.0),
        recipe(second_face=0.8, second_x=2.0),
    ]
    plain, small, aside, turned, beside = HeadRenderer().render(sample_identity(3), recipes, SIZE).landmarks
    assert eye_distance(small) == pytest.approx(0.7 * eye_distance(plain), rel=0.03)
    assert aside[:, 0].mean() - plain[:, 0].mean() == pytest.approx(eye_distance(plain), rel=0.25)
    eyes = turned[1] - turned[0]
    assert np.degrees(np.arctan2(eyes[1], eyes[0])) == pytest.approx(90, abs=3)
    assert beside == pytest.approx(plain)


def test_a_second_face_stands_behind_the_first(portrait):
    alone, company = (
        HeadRenderer()
        .render(sample_identity(3), [recipe(), recipe(second_face=0.9, second_x=1.8)], SIZE)
        .images.astype(int)
    )
    changed = np.abs(alone - company).max(axis=2) > 8
    e, (x, y) = eye_distance(portrait[1]), portrait[1].mean(axis=0).astype(int)
    assert changed[:, round(x + 1.5 * e) :].mean() > 0.1
    assert not changed[y - 8 : y + 8, x - 8 : x + 8].any()


def test_other_recipes_take_no_photographs(portrait):
    with pytest.raises(ValueError, match="profile is not camera"):
        photographed(*portrait, Recipe(kind="degraded", seed=1))
