"""Long hair falls outside the head and leaves the face free; skin below an edge is occluded; backdrops are muted."""

import colorsys

import numpy as np
import pytest

from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.face3d.render.background import paint_background
from synfiqa.actors.face3d.render.shadow import sky_share
from synfiqa.actors.face3d.shape.head import measure, neutral_grid
from synfiqa.actors.face3d.shape.identity import HAIR_STYLES
from synfiqa.actors.face3d.shape.mesh import Part, grid_normals
from synfiqa.actors.face3d.wear.body import ears
from synfiqa.actors.face3d.wear.hair import STYLES, hanging_grid, shell_thickness
from synfiqa.schemas.seeds import derive_seed


def dressed(style, seed=4):
    person = sample_identity(seed).with_attributes(hair_style=style)
    grid = neutral_grid(person)
    return person, grid, grid_normals(grid, True), shell_thickness(person, grid)


def test_every_style_has_its_parameters():
    assert set(STYLES) == set(HAIR_STYLES)


@pytest.mark.parametrize("style", sorted(name for name, style in STYLES.items() if style.length))
def test_long_hair_drapes_over_the_head_and_leaves_the_face_free(style):
    person, grid, normals, shell = dressed(style)
    hair = hanging_grid(person, grid, normals, shell)
    assert np.isfinite(hair).all()
    y = hair[..., 1]
    assert y.max() < grid[..., 1].max() + 0.05
    assert y[-1].mean() < 0.1 - 0.6 * STYLES[style].length
    assert (np.diff(y, axis=0) < 0).all(), "it hangs down"
    beside = (y < 0.1) & (y > -0.3)
    assert np.abs(hair[..., 0])[beside & (hair[..., 2] > 0.2)].min() > 0.4, "no hair before the eyes"


def about_the_neck(points):
    """Return angle about the axis of hanging hair, and distance from it, of points (..., 3)."""
    z = points[..., 2] + 0.12
    return np.arctan2(points[..., 0], z), np.hypot(points[..., 0], z)


@pytest.mark.parametrize("seed", [derive_seed(0, "bootstrap", "identity", number) for number in (458, 366, 426)])
def test_no_cheek_cuts_through_long_hair(seed):
    """Tips and locks that turn in once lay under broad cheeks, whose skin covered them in jagged patches."""
    person, grid, normals, shell = dressed("bob", seed)
    hair = hanging_grid(person, grid, normals, shell)
    beside = (hair[..., 1] < 0.3) & (hair[..., 1] > -0.1) & (hair[..., 2] > -0.3)
    skin_angle, skin_radius = about_the_neck(grid.reshape(-1, 3))
    hair_angle, hair_radius = about_the_neck(hair[beside])
    for y, angle, radius in zip(hair[beside][:, 1], hair_angle, hair_radius, strict=True):
        near = (np.abs(grid.reshape(-1, 3)[:, 1] - y) < 0.04) & (np.abs(skin_angle - angle) < 0.05)
        assert not near.any() or radius > skin_radius[near].mean() + 0.01


@pytest.mark.parametrize("style", ["short", "pixie", "curly"])
def test_short_hair_has_no_hanging_part_and_is_flat_at_the_hairline(style):
    person, grid, normals, shell = dressed(style)
    assert hanging_grid(person, grid, normals, shell) is None
    assert shell.max() > 0.05
    assert shell[:, grid.shape[1] // 2][shell[:, grid.shape[1] // 2] > 0].min() < 0.02


def test_ears_have_relief_and_stand_at_the_sides():
    person = sample_identity(4)
    left, right = ears(person, neutral_grid(person), np.ones(3))
    assert left.grid[..., 0].max() < -0.6
    assert right.grid[..., 0].min() > 0.6
    assert np.ptp(right.grid[3:9, :, 0]) > 0.08
    assert np.ptp(np.asarray(right.colour)[..., 0]) > 0.3


@pytest.mark.parametrize("seed", range(8))
def test_skin_under_nose_and_chin_is_more_occluded_than_the_forehead(seed):
    """Under OpenCV 5 all points were compared with the depth above one of them, so foreheads were shaded."""
    person = sample_identity(seed)
    grid, m = neutral_grid(person), measure(person)
    middle = grid.shape[1] // 2
    share = sky_share([Part("head", grid)], grid.reshape(-1, 3), grid_normals(grid, True).reshape(-1, 3))
    column, height = share.reshape(grid.shape[:2])[:, middle], grid[:, middle, 1]
    forehead = np.interp(-0.45, -height, column)
    lip = np.interp(0.06 - m.nose_base, -height, column)
    throat = column[(height < m.chin_y - 0.02) & (height > m.chin_y - 0.3)].min()
    assert forehead > 0.95
    assert lip < forehead - 0.1
    assert throat < forehead - 0.1, (throat, forehead)


@pytest.mark.parametrize("kind", ["plain", "gradient", "blurred", "cluttered"])
def test_backdrops_are_pure_functions_of_their_generator_and_rarely_vivid(kind):
    drawn = [paint_background(kind, np.random.default_rng(seed), 48) for seed in range(12)]
    again = paint_background(kind, np.random.default_rng(3), 48)
    np.testing.assert_array_equal(drawn[3], again)
    saturations = [colorsys.rgb_to_hsv(*(image.mean((0, 1)) ** (1 / 2.2)))[1] for image in drawn]
    assert np.median(saturations) < 0.3
    assert all(image.shape == (48, 48, 3) and image.min() >= 0 and image.max() <= 1 for image in drawn)
    assert np.std([image.mean() for image in drawn]) > 0.02


def test_blurred_backdrops_are_softer_than_cluttered_ones():
    def edges(kind):
        shown = [paint_background(kind, np.random.default_rng(seed), 96) for seed in range(8)]
        return np.mean([np.abs(np.diff(image, axis=1)).mean() for image in shown])

    assert edges("blurred") < 0.6 * edges("cluttered")
