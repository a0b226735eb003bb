"""Drawing a part of a picture gives the bits that the whole picture has there."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from synfiqa.actors.degradation.camera.photograph import photographed, photographed_part
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face3d.render.background import paint_background
from synfiqa.actors.face3d.render.window import around, inside, joined, reducible
from synfiqa.schemas.recipe import Pose, Recipe, Shot

SIZE = 120
RECIPES = [
    Recipe(kind="degraded", seed=1, profile="camera", shot=Shot(eyes=50, quality=90), background="blurred"),
    Recipe(
        kind="degraded", seed=2, profile="camera", shot=Shot(eyes=40, quality=90, distortion=0.12), occluder="hand",
        occluder_coverage=0.5, pose=Pose(yaw=30, roll=15), background="gradient",
    ),
    Recipe(
        kind="degraded", seed=3, profile="camera", shot=Shot(eyes=60, quality=90, cut=0.2, cut_side="left"),
        occluder="mask", occluder_coverage=0.6, background="cluttered",
    ),
    Recipe(
        kind="degraded", seed=4, profile="camera", background="plain",
        shot=Shot(eyes=45, quality=90, second_face=0.8, second_x=1.8, turn=70, distortion=-0.1),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def both():
    def part(landmarks, recipe):
        return photographed_part(landmarks, recipe, SIZE)

    person = sample_identity(5)
    return HeadRenderer().render(person, RECIPES, SIZE), HeadRenderer().render(person, RECIPES, SIZE, part)


def test_a_window_of_a_picture_has_the_bits_of_the_whole_one(both):
    whole, parts = both
    for index, recipe in enumerate(RECIPES):
        window = photographed_part(whole.landmarks[index], recipe, SIZE)
        here = inside(window, (0, 0, SIZE, SIZE))
        np.testing.assert_array_equal(parts.images[index][here], whole.images[index][here])
        assert not np.array_equal(parts.images[index], whole.images[index])


def test_a_window_changes_neither_points_nor_the_shares_of_an_occluder(both):
    whole, parts = both
    for name in ("landmarks", "face_points", "occluded_fraction", "occluded_regions"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert (whole.occluded_fraction > 0).tolist() == [False, True, True, False]
    assert np.isnan(parts.face_fraction).all()


def test_a_photograph_depends_on_its_part_of_the_portrait_alone(both):
    for index, recipe in enumerate(RECIPES):
        taken, again = (photographed(each.images[index], each.landmarks[index], recipe) for each in both)
        np.testing.assert_array_equal(again.image, taken.image)
        np.testing.assert_array_equal(again.landmarks, taken.landmarks)


@pytest.mark.parametrize("window", [(0, 0, 240, 240), (31, 0, 200, 117), (78, 101, 240, 203), (3, 5, 4, 6)])
def test_reducing_a_part_of_a_canvas_gives_the_bits_of_the_whole(window):
    canvas = torch.rand(1, 4, 360, 360, generator=torch.Generator().manual_seed(1))
    wide, (left, top, right, bottom) = reducible(window, 240, 360)
    size = wide[3] - wide[1], wide[2] - wide[0]
    whole = functional.interpolate(canvas, (240, 240), mode="bilinear", antialias=True)
    part = functional.interpolate(canvas[..., top:bottom, left:right], size, mode="bilinear", antialias=True)
    rows, columns = inside(window, wide)
    here = inside(window, (0, 0, 240, 240))
    assert torch.equal(part[0][:, rows, columns], whole[0][:, here[0], here[1]])


def test_a_canvas_of_another_ratio_is_reduced_whole():
    assert reducible((3, 4, 9, 9), 20, 40) == ((0, 0, 20, 20), (0, 0, 40, 40))
    assert reducible((3, 4, 9, 9), 21, 32) == ((0, 0, 21, 21), (0, 0, 32, 32))


@pytest.mark.parametrize("kind", ["plain", "gradient", "blurred", "cluttered"])
def test_a_window_of_a_backdrop_has_the_bits_of_the_whole_one(kind):
    whole, part = (paint_background(kind, np.random.default_rng(3), 96, window) for window in (None, (11, 20, 64, 96)))
    np.testing.assert_array_equal(part, whole[20:96, 11:64])


def test_windows_hold_their_points_and_each_other():
    assert around(np.array([[3.2, 4.8], [7.0, 5.0]]), 20) == (3, 4, 8, 6)
    assert around(np.array([[-9.0, -9.0], [-5.0, -4.0]]), 20) == (0, 0, 1, 1)
    assert joined((3, 4, 8, 6), (5, 1, 6, 9)) == (3, 1, 8, 9)
