"""Factors of the scene: each changes its own property alone, and occluded shares are exact."""

import numpy as np
import pytest

from synfiqa.actors.degradation.recipe_sampler import OCCLUDERS
from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.face3d.render.assets import build_assets
from synfiqa.actors.face3d.render.lighting import lamp
from synfiqa.schemas.recipe import Light, Pose, Recipe
from synfiqa.schemas.rows import REGIONS

SIZE = 96
PERSON = sample_identity(8).with_attributes(hair_style="short", beard="none", glasses=False)


def recipe(seed=11, **fields):
    return Recipe(kind="degraded", seed=seed, **fields)


def shares(rendered, row=0):
    return dict(zip(REGIONS, rendered.occluded_regions[row], strict=True))


class TestRegions:
    def test_every_face_quad_has_a_region_and_each_region_a_fair_share(self):
        assets = build_assets(PERSON)
        counts = np.bincount(assets.regions[assets.regions >= 0], minlength=len(REGIONS))
        assert counts.min() > 25
        assert counts[REGIONS.index("left_eye")] == pytest.approx(counts[REGIONS.index("right_eye")], rel=0.15)
        rows, columns = assets.landmark_grid.astype(int).T
        found = [REGIONS[index] for index in assets.regions[rows, columns]]
        assert found == ["left_eye", "right_eye", "nose", "mouth", "mouth"]

    def test_without_an_occluder_nothing_is_hidden_in_any_pose(self, renderer):
        own = sample_identity(10).with_attributes(glasses=True)
        for person, shown in ((PERSON, recipe(pose=Pose(yaw=85))), (own, recipe())):
            assert not renderer.render(person, [shown], SIZE).occluded_regions.any()

    @pytest.mark.parametrize(
        ("kind", "hidden", "free"),
        [
            ("sunglasses", {"left_eye", "right_eye"}, {"mouth", "chin", "forehead"}),
            ("mask", {"mouth", "chin"}, {"forehead", "left_eye", "right_eye"}),
            ("scarf", {"chin"}, {"forehead", "left_eye", "right_eye"}),
            ("hat", {"forehead"}, {"mouth", "chin", "nose"}),
            ("glare", {"left_eye", "right_eye"}, {"mouth", "chin", "forehead"}),
            ("hijab", {"forehead", "chin"}, {"nose", "mouth"}),
        ],
    )
    def test_an_occluder_hides_its_regions_and_no_others(self, renderer, kind, hidden, free):
        told = shares(renderer.render(PERSON, [recipe(occluder=kind, occluder_coverage=0.7)], SIZE))
        assert min(told[name] for name in hidden) > 0.5
        assert max(told[name] for name in free) < 0.12

    def test_the_total_is_the_mean_of_the_regions_by_what_is_visible(self, renderer):
        for kind in ("mask", "object", "hair"):
            out = renderer.render(PERSON, [recipe(occluder=kind, occluder_coverage=0.8)], SIZE)
            assert np.nanmin(out.occluded_regions) - 1e-6 <= out.occluded_fraction[0] <= np.nanmax(out.occluded_regions)
            assert np.nanmin(out.occluded_regions) >= 0
            assert np.nanmax(out.occluded_regions) <= 1

    def test_a_region_that_is_turned_away_is_unknown_and_left_is_image_left(self, renderer):
        out = renderer.render(PERSON, [recipe(pose=Pose(yaw=90), occluder="mask", occluder_coverage=0.6)], SIZE)
        told = shares(out)
        # The nose points to image-right: the side left of it is visible.
        assert np.isfinite(told["left_cheek"])
        assert np.isnan(told["right_eye"]) or np.isnan(told["right_cheek"])
        assert 0 < out.occluded_fraction[0] < 1


class TestOccluders:
    @pytest.mark.parametrize("kind", ["hat", "hair", "object", "hijab", "hood"])
    def test_more_coverage_hides_more(self, renderer, kind):
        rows = [recipe(seed, occluder=kind, occluder_coverage=c) for seed in range(4) for c in (0.0, 0.5, 1.0)]
        hidden = renderer.render(PERSON, rows, SIZE).occluded_fraction.reshape(4, 3)
        assert (np.diff(hidden, axis=1) > 0.02).all()
        assert hidden[:, 0].max() < 0.25
        assert hidden[:, 2].min() > 0.2

    @pytest.mark.parametrize("seed", range(4))
    def test_higher_coverage_by_hair_includes_lower_coverage(self, renderer, seed):
        """Each coverage once had its own strands: an eye hidden at 0.4 was visible again at 0.5."""
        steps = np.linspace(0, 1, 10)
        rows = [recipe(seed, occluder="hair", occluder_coverage=step) for step in steps]
        eyes = [REGIONS.index(name) for name in ("left_eye", "right_eye", "forehead")]
        hidden = renderer.render(PERSON, rows, SIZE).occluded_regions[:, eyes]
        assert np.diff(hidden, axis=0).min() > -0.15
        assert (hidden[-1] > hidden[0]).all()

    def test_a_hood_hides_the_forehead_and_leaves_the_face_below(self, renderer):
        hidden = shares(renderer.render(PERSON, [recipe(occluder="hood", occluder_coverage=1.0)], SIZE))
        assert hidden["forehead"] > 0.7
        assert max(hidden[name] for name in ("nose", "mouth", "chin")) < 0.12

    def test_more_coverage_by_glare_hides_more_of_both_eyes(self, renderer):
        rows = [recipe(seed, occluder="glare", occluder_coverage=c) for seed in range(3) for c in (0.0, 1.0)]
        hidden = renderer.render(PERSON, rows, SIZE).occluded_regions.reshape(3, 2, -1)
        eyes = hidden[..., [REGIONS.index("left_eye"), REGIONS.index("right_eye")]]
        assert (eyes[:, 1] - eyes[:, 0] > 0.2).all()
        assert eyes[:, 1].min() > 0.6

    def test_glare_brightens_the_lens_and_the_backdrop_behind_a_turned_head_alike(self, renderer):
        turned = [recipe(pose=Pose(yaw=75), occluder=kind, occluder_coverage=0.1) for kind in ("glasses", "glare")]
        clear, shining = renderer.render(PERSON, turned, SIZE).images.astype(int)
        assert (shining - clear).max() > 30
        assert (shining - clear).min() > -40  # a lens over the backdrop once became black

    def test_headphones_cover_the_ears_and_leave_the_face(self, renderer):
        rows = [recipe(occluder="headphones", occluder_coverage=c, pose=Pose(yaw=50)) for c in (0.0, 1.0)]
        small, large = renderer.render(PERSON, rows, SIZE).occluded_fraction
        assert small <= large < 0.12

    @pytest.mark.parametrize("kind", [*OCCLUDERS, "glare", "hijab", "hood", "headphones"])
    def test_an_occluder_moves_no_landmark(self, renderer, kind):
        plain = renderer.render(PERSON, [recipe(pose=Pose(yaw=30))], SIZE).landmarks
        covered = renderer.render(PERSON, [recipe(pose=Pose(yaw=30), occluder=kind, occluder_coverage=1)], SIZE)
        np.testing.assert_array_equal(plain, covered.landmarks)

    @pytest.mark.parametrize("style", ["afro", "bun", "long", "long_fringe", "bald", "curly"])
    def test_no_hair_is_visible_above_a_hats_band(self, renderer, style):
        person = PERSON.with_attributes(hair_style=style, hair_colour="red")
        for seed in range(4):
            image = renderer.render(person, [recipe(seed, occluder="hat", occluder_coverage=0.3)], SIZE).images[0]
            # Above the band, in the upper quarter of the head, is the hat's one colour or the wall.
            plain = renderer.render(
                PERSON.with_attributes(hair_style="bald"), [recipe(seed, occluder="hat", occluder_coverage=0.3)], SIZE
            ).images[0]
            changed = (np.abs(image[: SIZE // 5].astype(int) - plain[: SIZE // 5]).max(-1) > 60).mean()
            assert changed < 0.01, seed

    def test_strands_have_the_hairs_colour(self, renderer):
        means = []
        for colour in ("black", "white"):
            person = PERSON.with_attributes(hair_colour=colour)
            bare, covered = renderer.render(
                person, [recipe(), recipe(occluder="hair", occluder_coverage=0.8)], SIZE
            ).images.astype(int)
            means.append(covered[np.abs(covered - bare).max(-1) > 60].mean())
        assert means[1] > means[0] + 60

    def test_a_brim_shades_the_brow_in_soft_light(self, renderer):
        above = Light(elevation=60, harshness=0.1)
        rows = [recipe(seed, light=above, occluder=o) for seed in range(6) for o in ("none", "hat")]
        out = renderer.render(PERSON, rows, SIZE)
        free, shaded = out.images.mean(-1).reshape(6, 2, SIZE, SIZE).transpose(1, 0, 2, 3)
        hidden = out.occluded_regions[1::2, REGIONS.index("left_eye")]
        x, y = out.landmarks[0, 0].astype(int)
        darker = (free - shaded)[:, y - 8 : y - 5, x].mean(axis=1)
        assert darker[hidden < 0.3].max() > 10


class TestCamera:
    def test_pixels_move_with_the_landmarks_at_near_distances(self, renderer):
        # Closing the eyes changes the image around the eye landmarks, at every distance.
        shut = recipe().expression.model_copy(update={"eyes_closed": 1.0})
        for distance in (1.3, 2.0, 5.0):
            seen = recipe(camera_distance=distance, pose=Pose(yaw=8))
            out = renderer.render(PERSON, [seen, seen.model_copy(update={"expression": shut})], 128)
            change = np.abs(np.diff(out.images.astype(float), axis=0)[0]).sum(-1)
            row, column = np.mgrid[:128, :128]
            eyes = out.landmarks[0, :2]
            nearer = np.hypot(column - eyes[0, 0], row - eyes[0, 1]) < np.hypot(column - eyes[1, 0], row - eyes[1, 1])
            for eye, own in zip(eyes, (nearer, ~nearer), strict=True):
                weight = change * own
                middle = np.array([(weight * column).sum(), (weight * row).sum()]) / weight.sum()
                assert np.abs(middle - eye).max() < 1.6, distance

    def test_a_near_camera_enlarges_the_nose_and_hides_the_ears(self, renderer):
        far, near = renderer.render(PERSON, [recipe(camera_distance=d) for d in (8.0, 1.3)], 128).landmarks
        # What lies further forward than the eyes moves away from the image centre: the face grows longer.
        assert (near[2, 1] - near[:2, 1].mean()) > 1.05 * (far[2, 1] - far[:2, 1].mean())
        share = renderer.render(PERSON, [recipe(camera_distance=d) for d in (8.0, 1.3)], 128).face_fraction
        assert share[1] < 0.9 * share[0]

    def test_ordinary_distances_are_almost_equal(self, renderer):
        places = renderer.render(PERSON, [recipe(camera_distance=d) for d in (4.0, 10.0)], 112).landmarks
        assert np.abs(np.diff(places, axis=0)).max() < 1.5


class TestLight:
    def test_back_light_darkens_the_face_and_brightens_what_is_behind(self, renderer):
        front, back = renderer.render(
            PERSON, [recipe(light=Light(azimuth=a, elevation=15, harshness=0.9)) for a in (0, 180)], SIZE
        ).images.mean(-1)
        x, y = renderer.render(PERSON, [recipe()], SIZE).landmarks[0, 2].astype(int)
        assert back[y - 4 : y + 4, x - 8 : x + 8].mean() < 0.5 * front[y - 4 : y + 4, x - 8 : x + 8].mean()
        assert back[:8].mean() > 1.3 * front[:8].mean()

    def test_a_cast_tints_the_key_or_the_image_and_grows_with_its_strength(self, renderer):
        kinds = {lamp(Light(cast=1), seed=seed).colour == (1.0, 1.0, 1.0) for seed in range(12)}
        assert kinds == {True, False}
        for seed in range(4):
            images = renderer.render(PERSON, [recipe(seed, light=Light(cast=c)) for c in (0, 0.4, 1)], SIZE).images
            off = [np.abs(np.diff(image.astype(float), axis=-1)).mean() for image in images]
            distance = [np.abs(image.astype(float) - images[0]).mean() for image in images]
            assert distance == sorted(distance)
            assert distance[2] > 4, off

    def test_exposure_spans_black_to_white(self, renderer):
        dark, usual, bright = renderer.render(
            PERSON, [recipe(light=Light(exposure=e)) for e in (0.01, 1, 16)], SIZE
        ).images.mean((1, 2, 3))
        assert dark < 25 < usual < 200 < bright
