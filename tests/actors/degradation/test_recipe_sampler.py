from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.actors.degradation.recipe_sampler import OCCLUDERS, candidate_recipe, degraded_recipes, reference_recipes
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import SAMPLES, recipe_from_row, recipe_to_row
from synfiqa.schemas.seeds import derive_seed

FAULTLESS = dict.fromkeys(
    [f"{name}_rate" for name in ("motion", "noise", "exposure", "cast", "jpeg", "misalignment", "near_camera")], 0.0
)
SECTION = DegradedSection(**FAULTLESS)
MANY = degraded_recipes(11, 5, 4000, SECTION, "corrected")
REFERENCES = reference_recipes(11, 5, 500, "corrected")
CANDIDATES = [candidate_recipe(derive_seed(11, "candidate", index)) for index in range(3000)]


def of(recipes: list[Recipe], *path: str) -> np.ndarray:
    values = []
    for value in recipes:
        for name in path:
            value = getattr(value, name)
        values.append(value)
    return np.array(values)


def test_float32_tables_are_lossless():
    columns = set(recipe_to_row(MANY[0]))
    schema = pa.schema([field for field in SAMPLES if field.name in columns])
    recipes = [*MANY[:300], *REFERENCES[:100], *CANDIDATES[:300]]
    table = pa.Table.from_pylist([recipe_to_row(recipe) for recipe in recipes], schema=schema)
    assert set(table.column_names) == columns
    assert [recipe_from_row(row) for row in table.to_pylist()] == recipes


@pytest.mark.parametrize("profile", ["corrected", "faithful"])
def test_a_recipe_does_not_depend_on_how_many_are_drawn(profile):
    assert degraded_recipes(3, 8, 50, SECTION, profile)[:7] == degraded_recipes(3, 8, 7, SECTION, profile)
    assert reference_recipes(3, 8, 10, profile)[:4] == reference_recipes(3, 8, 4, profile)
    assert degraded_recipes(3, 8, 0, SECTION, profile) == []


def test_seeds_come_from_run_identity_kind_and_index():
    assert MANY[17].seed == derive_seed(11, "sample", 5, "degraded", 17)
    assert REFERENCES[3].seed == derive_seed(11, "sample", 5, "reference", 3)
    others = degraded_recipes(11, 6, 3, SECTION, "corrected"), degraded_recipes(12, 5, 3, SECTION, "corrected")
    yaws = {recipe.pose.yaw for group in (MANY[:3], *others) for recipe in group}
    assert len(yaws) == 9


class TestReferences:
    def test_are_frontal_neutral_even_and_undegraded(self):
        assert np.abs(of(REFERENCES, "pose", "yaw")).max() <= 4
        assert np.abs(of(REFERENCES, "pose", "pitch")).max() <= 4
        assert of(REFERENCES, "expression", "intensity").max() < 0.25
        assert of(REFERENCES, "light", "harshness").max() <= 0.15
        assert {recipe.occluder for recipe in REFERENCES} == {"none"}
        assert {recipe.background for recipe in REFERENCES} == {"plain", "gradient", "blurred"}
        assert {(recipe.kind, recipe.downsample, recipe.blur) for recipe in REFERENCES} == {("reference", 1.0, 1.0)}
        assert of(REFERENCES, "jpeg_quality").min() >= 90

    def test_gaze_is_towards_the_camera(self):
        assert np.abs(of(REFERENCES, "gaze", "yaw")).mean() < 2

    def test_vary(self):
        assert of(REFERENCES, "pose", "yaw").std() > 1.5
        assert len(set(of(REFERENCES, "light", "exposure"))) > 400

    def test_faithful_references_are_jpeg_75(self):
        assert {recipe.jpeg_quality for recipe in reference_recipes(1, 1, 20, "faithful")} == {75}


class TestDegraded:
    def test_pose_follows_the_configured_spread(self):
        for name, std, bound in (("yaw", 28, 90), ("pitch", 10, 45), ("roll", 7, 90)):
            values = of(MANY, "pose", name)
            assert values.std() == pytest.approx(std, rel=0.05)
            assert abs(values.mean()) < 0.06 * std
            assert np.abs(values).max() <= bound

    def test_gaze_varies_within_its_limits(self):
        assert of(MANY, "gaze", "yaw").std() == pytest.approx(9, rel=0.06)
        assert of(MANY, "gaze", "pitch").std() == pytest.approx(6, rel=0.06)

    def test_a_wide_distribution_is_truncated_not_clipped(self):
        wide = degraded_recipes(1, 1, 2000, DegradedSection(yaw_std=90, pitch_std=45), "corrected")
        for name, bound in (("yaw", 90), ("pitch", 45)):
            values = np.abs(of(wide, "pose", name))
            assert values.max() <= bound
            assert np.mean(values > 0.98 * bound) < 0.03

    def test_no_spread_is_frontal(self):
        still = degraded_recipes(1, 1, 50, DegradedSection(yaw_std=0, pitch_std=0, roll_std=0), "corrected")
        assert {recipe.pose.yaw for recipe in still} == {recipe.pose.roll for recipe in still} == {0.0}

    def test_rates_are_the_configured_ones(self):
        assert np.mean(of(MANY, "expression", "intensity") >= 0.25) == pytest.approx(0.4, abs=0.03)
        assert np.mean(of(MANY, "light", "harshness") >= 0.5) == pytest.approx(0.3, abs=0.03)
        counts = Counter(recipe.occluder for recipe in MANY)
        assert counts.pop("none") / len(MANY) == pytest.approx(0.7, abs=0.03)
        assert set(counts) == set(OCCLUDERS)
        for count in counts.values():
            assert count / len(MANY) == pytest.approx(0.3 / 8, abs=0.012)

    def test_weighted_occluders_change_the_kind_and_no_other_draw(self):
        weighted = degraded_recipes(1, 1, 400, DegradedSection(occluders={"hood": 1, "glare": 3}), "corrected")
        plain = degraded_recipes(1, 1, 400, DegradedSection(), "corrected")
        counts = Counter(recipe.occluder for recipe in weighted)
        assert set(counts) == {"none", "hood", "glare"}
        assert counts["glare"] > 1.8 * counts["hood"]
        for one, other in zip(weighted, plain, strict=True):
            assert (one.occluder == "none") == (other.occluder == "none")
            assert one.model_copy(update={"occluder": other.occluder}) == other

    @pytest.mark.parametrize("rate", [0.0, 1.0])
    def test_rates_of_zero_and_one_are_exact(self, rate):
        section = DegradedSection(expression_rate=rate, harsh_light_rate=rate, occluder_rate=rate)
        for recipe in degraded_recipes(1, 1, 200, section, "corrected"):
            assert (recipe.occluder != "none") == (recipe.light.harshness >= 0.5) == bool(rate)
            assert (recipe.expression.intensity >= 0.25) == bool(rate)

    def test_coverage_belongs_to_an_occluder(self):
        for recipe in MANY:
            assert (
                (0.3 <= recipe.occluder_coverage <= 1) if recipe.occluder != "none" else recipe.occluder_coverage == 0
            )

    def test_exposure_is_log_uniform(self):
        values = np.log(of(MANY, "light", "exposure"))
        assert values.min() == pytest.approx(np.log(0.5), abs=0.02)
        assert values.max() == pytest.approx(np.log(1.6), abs=0.02)
        assert values.mean() == pytest.approx(np.log(0.5 * 1.6) / 2, abs=0.03)

    def test_resolution_and_blur_are_published_and_independent(self):
        s, b = of(MANY, "downsample"), of(MANY, "blur")
        for values in (s, b):
            assert np.mean(values == 1) == pytest.approx(0.1846, abs=0.025)
            assert values.mean() == pytest.approx(1.57, abs=0.06)
        assert abs(np.corrcoef(s, b)[0, 1]) < 0.05

    def test_jpeg_quality_covers_its_inclusive_range(self):
        assert set(of(MANY, "jpeg_quality")) == {75}
        ranged = degraded_recipes(1, 1, 300, DegradedSection(jpeg_quality=(30, 33), **FAULTLESS), "corrected")
        assert set(of(ranged, "jpeg_quality")) == {30, 31, 32, 33}

    def test_hard_light_comes_from_all_directions(self):
        azimuths = np.array([recipe.light.azimuth for recipe in MANY if recipe.light.harshness >= 0.5])
        assert np.histogram(azimuths, bins=6, range=(-180, 180))[0].min() > len(azimuths) / 8

    def test_profiles_differ_in_nothing_but_the_profile_and_an_ordinary_distance(self):
        corrected, faithful = (degraded_recipes(1, 2, 20, SECTION, name) for name in ("corrected", "faithful"))
        assert {recipe.camera_distance for recipe in faithful} == {Recipe(kind="degraded", seed=0).camera_distance}
        for one, other in zip(corrected, faithful, strict=True):
            assert other == one.model_copy(update={"profile": "faithful", "camera_distance": other.camera_distance})


class TestCandidates:
    def test_are_mostly_near_frontal(self):
        assert of(CANDIDATES, "pose", "yaw").std() == pytest.approx(11, rel=0.06)
        assert of(CANDIDATES, "pose", "pitch").std() == pytest.approx(5, rel=0.06)
        assert 0.02 < np.mean(np.abs(of(CANDIDATES, "pose", "yaw")) >= 20) < 0.12

    def test_about_an_eighth_shows_an_expression_the_filter_rejects(self):
        assert np.mean(of(CANDIDATES, "expression", "intensity") > 0.25) == pytest.approx(0.12, abs=0.02)

    def test_carry_no_occluder_and_no_degradation(self):
        assert {(r.occluder, r.downsample, r.blur) for r in CANDIDATES} == {("none", 1.0, 1.0)}
        assert of(CANDIDATES, "light", "harshness").max() < 0.5

    def test_depend_on_the_seed_alone(self):
        assert candidate_recipe(42) == candidate_recipe(42)
        assert candidate_recipe(42) != candidate_recipe(43)


def test_a_template_and_a_prompt_survive_the_table():
    recipe = MANY[0].model_copy(update={"template": "DEG-00007", "prompt": "a face in the rain"})
    schema = pa.schema([field for field in SAMPLES if field.name in recipe_to_row(recipe)])
    assert {"template", "prompt"} <= set(schema.names)
    (row,) = pa.Table.from_pylist([recipe_to_row(recipe)], schema=schema).to_pylist()
    assert recipe_from_row(row) == recipe
