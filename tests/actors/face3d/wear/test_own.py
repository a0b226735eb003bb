"""Things of a person's own: in every image, no occlusion, replaced by a commanded thing of their place."""

import numpy as np
import pytest

from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.face3d.render.assets import build_assets
from synfiqa.actors.face3d.wear.own import own_things
from synfiqa.schemas.recipe import Expression, Pose, Recipe
from synfiqa.schemas.rows import REGIONS

SIZE = 80
BARE = sample_identity(8).with_attributes(hair_style="bun", beard="none", glasses=False)


def person(**added):
    changed = BARE.with_attributes(**{key: added[key] for key in added.keys() & BARE.attributes.keys()})
    return type(BARE)(changed.seed, changed.shape, changed.appearance, {**changed.attributes, **added})


OWNERS = {
    "glasses": person(own_glasses=True, glasses=True),
    "cap": person(headwear="cap"),
    "headscarf": person(headwear="headscarf"),
    "long beard": person(beard="long"),
}


def recipe(seed=11, **fields):
    return Recipe(kind="degraded", seed=seed, **fields)


@pytest.mark.parametrize("name", OWNERS)
def test_it_is_seen_in_reference_and_sample_but_occludes_nothing(renderer, name):
    shown = [recipe().model_copy(update={"kind": "reference"}), recipe(), recipe(expression=Expression(mouth_open=1))]
    own, bare = renderer.render(OWNERS[name], shown, SIZE), renderer.render(BARE, shown, SIZE)
    changed = (np.abs(own.images.astype(int) - bare.images).max(-1) > 24).mean((1, 2))
    assert (changed > 0.001).all()
    assert not np.nan_to_num(own.occluded_regions).any()
    np.testing.assert_array_equal(own.landmarks, bare.landmarks)


@pytest.mark.parametrize("name", ["glasses", "cap", "headscarf"])
def test_it_is_the_same_in_all_images_of_a_person_and_another_ones_differs(name):
    assets = build_assets(BARE)
    worn = [own_things(OWNERS[name], assets.grid, assets.measures, "none", np.zeros(3)).parts for _ in range(2)]
    other = type(BARE)(99, BARE.shape, BARE.appearance, OWNERS[name].attributes)
    others = own_things(other, assets.grid, assets.measures, "none", np.zeros(3)).parts
    for one, again in zip(*worn, strict=True):
        np.testing.assert_array_equal(one.grid, again.grid)
    assert len(others) != len(worn[0]) or any(
        one.grid.shape != two.grid.shape or not np.array_equal(one.grid, two.grid)
        for one, two in zip(worn[0], others, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("glasses", "sunglasses", False),
        ("glasses", "glare", False),
        ("glasses", "mask", True),
        ("cap", "hood", False),
        ("cap", "sunglasses", True),
        ("headscarf", "hijab", False),
        ("headscarf", "scarf", True),
    ],
)
def test_a_commanded_thing_replaces_that_of_the_same_place_alone(name, kind, kept):
    assets = build_assets(BARE)
    assert bool(own_things(OWNERS[name], assets.grid, assets.measures, kind, np.zeros(3)).parts) == kept


def test_candidates_glasses_without_an_owner_are_off_where_an_occluder_is_commanded():
    assets = build_assets(BARE)
    chance = BARE.with_attributes(glasses=True)
    assert own_things(chance, assets.grid, assets.measures, "none", np.zeros(3)).parts
    assert not own_things(chance, assets.grid, assets.measures, "hat", np.zeros(3)).parts


def test_a_headscarf_leaves_the_face_free_in_any_pose(renderer):
    """Cloth once cut through the chin below an open mouth, and the seam under it stood open."""
    shown = [
        recipe(pose=Pose(yaw=yaw, pitch=pitch), expression=Expression(mouth_open=opened))
        for yaw, pitch, opened in ((0, 0, 0), (0, 0, 1), (35, 0, 0), (0, 20, 0))
    ]
    covered = [r.model_copy(update={"occluder": "hijab", "occluder_coverage": 0.0}) for r in shown]
    out = renderer.render(BARE, covered, SIZE).occluded_regions
    for name in ("left_eye", "right_eye", "nose", "mouth"):
        assert np.nanmax(out[:, REGIONS.index(name)]) < 0.1


def test_strands_come_out_from_under_a_cap(renderer):
    shown = recipe(occluder="hair", occluder_coverage=1.0)
    bare = renderer.render(BARE, [shown], SIZE)
    capped = renderer.render(OWNERS["cap"], [shown], SIZE)
    top = slice(0, SIZE // 4)
    hair_over_cap = (np.abs(capped.images[0, top].astype(int) - bare.images[0, top]).max(-1) < 4).mean()
    background = (np.abs(renderer.render(OWNERS["cap"], [recipe()], SIZE).images[0, top].astype(int)
                         - renderer.render(BARE, [recipe()], SIZE).images[0, top]).max(-1) < 4).mean()  # fmt: skip
    assert hair_over_cap <= background + 0.02
