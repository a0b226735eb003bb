import numpy as np

from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.fiqa_train.bundled.ladders import ladders
from synfiqa.fiqa_train.bundled.render_set import RenderSet, ladder_recipes


def held_out(people: int = 2) -> RenderSet:
    recipes = [r for person in range(people) for r in ladder_recipes(reference_recipes(1, person, 1, "corrected")[0])]
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (len(recipes), 112, 112, 3)).astype(np.uint8)
    return RenderSet(
        crops=crops,
        identity=np.repeat(np.arange(people), len(recipes) // people),
        recipes=recipes,
        part=np.full(len(recipes), "ladder"),
        occluded_fraction=np.zeros(len(recipes)),
    )


def test_every_level_is_a_step_of_its_own_with_one_crop_of_each_person():
    shown = list(ladders(held_out()))
    names = [name for name, _, _ in shown]
    assert len(set(names)) == len(names)
    assert {name.rsplit("_", 1)[0] for name in names} == {
        *("yaw", "pitch", "glasses", "sunglasses", "mask", "scarf", "hand", "hat", "hair", "object", "harsh_light"),
        *("dark", "misalignment", "near_camera", "blur", "resolution", "motion", "noise", "jpeg"),
        "covered_from_below",
    }
    for name, crops, identity in shown:
        assert crops.shape == (2, 112, 112, 3), name
        assert identity.tolist() == [0, 1]


def test_ladders_are_the_same_each_time():
    for (name, first, _), (_, second, _) in zip(ladders(held_out()), ladders(held_out()), strict=True):
        np.testing.assert_array_equal(first, second, err_msg=name)
