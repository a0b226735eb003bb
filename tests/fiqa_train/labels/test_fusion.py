import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from synfiqa.fiqa_train.labels import ranks as labels_module
from synfiqa.fiqa_train.labels.costs import fit_costs, kept
from synfiqa.fiqa_train.labels.fusion import Components, apply, fit, invalid, match_chance
from synfiqa.fiqa_train.labels.severities import FACTORS
from synfiqa.schemas.calibration import Scale
from synfiqa.schemas.config.learn import LabelSection


def components(**columns):
    count = len(next(iter(columns.values())))
    base = {"recognition": 0.5, "vision_language": 0.25, "yaw": 10.0, "downsample": 1.0, "blur": 1.0}
    return Components(
        **{name: np.asarray(columns.get(name, np.full(count, value)), float) for name, value in base.items()}
    )


def random_components(count, seed=0):
    random = np.random.default_rng(seed)
    return components(
        recognition=random.uniform(-1, 1, count),
        vision_language=random.uniform(-0.2, 0.6, count),
        yaw=np.abs(random.normal(0, 28, count)).astype(np.float32),
        downsample=np.maximum(1, random.uniform(0.82, 1.6, count)).astype(np.float32),
        blur=np.maximum(1, random.uniform(0.82, 1.6, count)).astype(np.float32),
    )


def spec(c, weight):
    """Section 4 of the specification, one sample and one sum at a time."""
    count = len(c.yaw)

    def rank(values, x):
        return sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2

    raw = []
    for i in range(count):
        spatial = min(count - rank(values, values[i]) for values in (c.yaw, c.downsample, c.blur)) / count
        raw.append((c.recognition[i] + weight * spatial) / (1 - c.vision_language[i]))
    return raw, [(m - min(raw)) / (max(raw) - min(raw)) for m in raw]


def pick(c, index):
    return Components(**{name: column[index] for name, column in vars(c).items()})


def test_four_samples_by_hand():
    c = components(
        recognition=[0.8, 0.4, 0.6, 0.2], vision_language=[0.5, 0.2, 0.0, 0.5], yaw=[0, 10, 10, 40], blur=[1, 1, 2, 4]
    )
    scale, labels = fit(c, 0.5)
    np.testing.assert_allclose(labels.yaw_rank, [3 / 4, 1.5 / 4, 1.5 / 4, 0])
    np.testing.assert_allclose(labels.downsample_rank, [1.5 / 4] * 4)
    np.testing.assert_allclose(labels.blur_rank, [2.5 / 4, 2.5 / 4, 1 / 4, 0])
    np.testing.assert_allclose(labels.spatial, [0.375, 0.375, 0.25, 0])
    raw = [(0.8 + 0.1875) / 0.5, (0.4 + 0.1875) / 0.8, 0.6 + 0.125, 0.2 / 0.5]
    np.testing.assert_allclose(labels.raw, raw)
    np.testing.assert_allclose(labels.quality, (np.array(raw) - 0.4) / (raw[0] - 0.4))
    assert (scale.samples, scale.raw_min, scale.raw_max) == (4, labels.raw[3], labels.raw[0])


@pytest.mark.parametrize("weight", [0.0, 0.5, 3.0])
def test_labels_follow_the_specification(weight):
    c = random_components(137, seed=5)
    _, labels = fit(c, weight)
    raw, quality = spec(c, weight)
    np.testing.assert_allclose(labels.raw, raw, rtol=1e-12)
    np.testing.assert_allclose(labels.quality, quality, rtol=1e-9, atol=1e-12)
    assert labels.clipped == 0


@pytest.mark.parametrize("stored", [np.float32, np.float64])
def test_labels_are_those_of_ranks_over_float64_columns_to_the_last_bit(stored):
    """Columns are kept as stored and ranked with one sort each; no bit of a label or table may show it."""
    c = random_components(4000, seed=8)
    c = Components(**{name: np.round(column, 2).astype(stored) for name, column in vars(c).items()})  # heavily tied
    recognition, vision_language, *factors = (column.astype(np.float64) for column in vars(c).values())
    shares = [(4000 - rankdata(factor, method="average")) / 4000 for factor in factors]
    raw = (recognition + 0.3 * np.minimum.reduce(shares)) / (1 - vision_language)
    ranks = rankdata(raw, method="average")
    scale, labels = fit(c, 0.3)
    np.testing.assert_array_equal([labels.yaw_rank, labels.downsample_rank, labels.blur_rank], shares)
    np.testing.assert_array_equal(labels.raw, raw)
    np.testing.assert_array_equal(labels.quality, (raw - raw.min()) / (raw.max() - raw.min()))
    assert list(labels.group) == [f"Q{min(int(10 * (rank - 0.5) / 4000), 9)}" for rank in ranks]
    distinct, first = np.unique(raw, return_index=True)
    assert (scale.raw.values, scale.raw.ranks) == (distinct.tolist(), ranks[first].tolist())
    assert scale.yaw.values == np.unique(factors[0]).tolist()


def test_the_best_is_one_and_the_worst_zero_exactly():
    _, labels = fit(random_components(500), 0.5)
    assert np.count_nonzero(labels.quality == 0) == 1
    assert np.count_nonzero(labels.quality == 1) == 1
    assert labels.quality.min() == 0
    assert labels.quality.max() == 1


def test_the_order_of_samples_does_not_matter():
    c = random_components(200)
    order = np.random.default_rng(1).permutation(200)
    scale, labels = fit(c, 0.5)
    shuffled_scale, shuffled = fit(pick(c, order), 0.5)
    assert shuffled_scale == scale
    for field in dataclasses.fields(labels):
        if field.name != "clipped":
            np.testing.assert_array_equal(getattr(shuffled, field.name), getattr(labels, field.name)[order])


def test_groups_are_tenths_by_quality():
    _, labels = fit(random_components(1000), 0.5)
    assert {group: int(np.sum(labels.group == group)) for group in np.unique(labels.group)} == {
        f"Q{n}": 100 for n in range(10)
    }
    order = np.argsort(labels.quality)
    assert list(labels.group[order]) == sorted(labels.group)


def test_equal_quality_means_equal_group():
    # 15 equal samples straddle the border between two groups of 10.
    c = components(recognition=[*np.linspace(0, 0.3, 5), *[0.4] * 15, *np.linspace(0.5, 1, 80)])
    _, labels = fit(c, 0.5)
    assert len(set(labels.group[5:20])) == 1


def test_few_samples_get_spread_groups():
    _, labels = fit(components(recognition=[0.1, 0.9]), 0.5)
    assert list(labels.group) == ["Q2", "Q7"]


@pytest.mark.parametrize("count", [1, 7])
def test_equal_samples_have_no_scale(count):
    with pytest.raises(ValueError, match=f"all {count} raw labels equal"):
        fit(components(recognition=[0.5] * count), 0.5)


@pytest.mark.parametrize(
    ("name", "value", "bad"),
    [
        ("recognition", math.nan, True),
        ("yaw", math.inf, True),
        ("blur", -math.inf, True),
        ("vision_language", math.nan, True),
        ("vision_language", 1.0, True),
        ("vision_language", 1.5, True),
        ("vision_language", np.nextafter(1, 0), False),
        ("recognition", -1.0, False),
    ],
)
def test_components_without_a_label_are_found(name, value, bad):
    column = [0.0, value, 0.0]
    assert list(invalid(components(**{name: column}))) == [False, bad, False]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000), st.floats(0, 10))
def test_a_frozen_scale_gives_its_own_samples_their_labels_again(count, seed, weight):
    c = random_components(count, seed)
    scale, labels = fit(c, weight)
    again = apply(Scale.model_validate_json(scale.model_dump_json()), c)
    for field in dataclasses.fields(labels):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(labels, field.name))


def test_a_frozen_label_does_not_depend_on_what_comes_with_it():
    scale, _ = fit(random_components(100), 0.5)
    new = random_components(50, seed=9)
    together = apply(scale, new)
    for index in range(50):
        alone = apply(scale, pick(new, [index]))
        assert alone.quality[0] == together.quality[index]
        assert alone.group[0] == together.group[index]


def test_a_new_value_gets_a_rank_between_its_neighbours_and_never_outside():
    scale, labels = fit(components(yaw=[0, 10, 20, 30], recognition=[0.1, 0.2, 0.3, 0.4]), 0.5)
    shares = apply(scale, components(yaw=[-5, 5, 10, 12.5, 99])).yaw_rank
    np.testing.assert_allclose(shares, [3 / 4, 2.5 / 4, 2 / 4, 1.75 / 4, 0])
    assert list(labels.yaw_rank) == [3 / 4, 2 / 4, 1 / 4, 0]


def test_what_lies_beyond_a_frozen_scale_is_clipped_and_counted():
    scale, _ = fit(components(recognition=[0.2, 0.4, 0.6]), 0.5)
    labels = apply(scale, components(recognition=[-1, 0.3, 1, 0.6]))
    assert list(labels.quality[[0, 2, 3]]) == [0, 1, 1]
    assert 0 < labels.quality[1] < 1
    assert labels.clipped == 2
    assert list(labels.group[[0, 2]]) == ["Q1", "Q8"]


def test_a_long_table_is_thinned_within_its_stated_error(monkeypatch):
    c = random_components(5000)
    exact_scale, exact = fit(c, 0.5)
    assert len(exact_scale.yaw.values) == len(np.unique(c.yaw))
    monkeypatch.setattr(labels_module, "TABLE_LIMIT", 200)
    scale, labels = fit(c, 0.5)  # the tied 1.0 of downsample and blur holds a tenth of all ranks
    np.testing.assert_array_equal(labels.quality, exact.quality)
    for table in (scale.yaw, scale.downsample, scale.blur, scale.raw):
        assert 100 <= len(table.values) <= 200
    assert (scale.yaw.values[0], scale.yaw.values[-1]) == (c.yaw.min(), c.yaw.max())
    assert np.abs(apply(scale, c).yaw_rank - exact.yaw_rank).max() <= 2 / 200
    assert np.abs(apply(scale, c).downsample_rank - exact.downsample_rank).max() <= 2 / 200


def random_severities(count, seed=0):
    drawn = np.random.default_rng(seed).uniform(-5, 5, (len(FACTORS), count)).clip(0).astype(np.float32)
    return dict(zip(FACTORS, drawn, strict=True))


def some(severities, index):
    return {name: values[index] for name, values in severities.items()}


def test_costs_take_the_place_of_the_ranks_in_the_fusion():
    c, severities = random_components(300), random_severities(300)
    scale, labels = fit(c, 0.35, 0.25, severities)
    spatial = kept(fit_costs(severities, c.recognition), severities)
    np.testing.assert_array_equal(labels.spatial, spatial)
    np.testing.assert_allclose(labels.raw, (c.recognition + 0.35 * spatial) / (1 - 0.25 * c.vision_language))
    assert (scale.spatial, scale.spatial_weight, scale.vision_language_weight) == ("costs", 0.35, 0.25)
    _, ranked = fit(c, 0.35)
    np.testing.assert_array_equal(labels.yaw_rank, ranked.yaw_rank)  # still told


@pytest.mark.parametrize("kappa", [0.0, 0.25, 1.0])
def test_v_l_counts_as_much_as_it_is_asked_to(kappa):
    c = random_components(50)
    _, labels = fit(c, 0.5, kappa)
    np.testing.assert_allclose(labels.raw, (c.recognition + 0.5 * labels.spatial) / (1 - kappa * c.vision_language))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000), st.floats(0, 10), st.floats(0, 1))
def test_a_frozen_scale_of_costs_gives_its_own_samples_their_labels_again(count, seed, weight, kappa):
    c, severities = random_components(count, seed), random_severities(count, seed)
    scale, labels = fit(c, weight, kappa, severities)
    again = apply(Scale.model_validate_json(scale.model_dump_json()), c, severities)
    for field in dataclasses.fields(labels):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(labels, field.name))


def test_a_frozen_label_of_costs_does_not_depend_on_what_comes_with_it():
    scale, _ = fit(random_components(100), 0.5, 0.25, random_severities(100))
    new, severities = random_components(50, seed=9), random_severities(50, seed=9)
    together = apply(scale, new, severities)
    for index in range(50):
        assert apply(scale, pick(new, [index]), some(severities, [index])).quality[0] == together.quality[index]


def test_labels_of_costs_do_not_depend_on_the_order_of_samples():
    c, severities = random_components(200), random_severities(200)
    order = np.random.default_rng(1).permutation(200)
    scale, labels = fit(c, 0.5, 0.25, severities)
    shuffled_scale, shuffled = fit(pick(c, order), 0.5, 0.25, some(severities, order))
    assert shuffled_scale == scale
    np.testing.assert_array_equal(shuffled.quality, labels.quality[order])


def test_a_label_falls_along_every_factor_that_costs_something():
    count = 4000
    severities = random_severities(count)
    loss = sum(values / 5 * 0.02 for values in severities.values())
    scale, _ = fit(components(recognition=0.95 - loss), 0.35, 0.25, severities)
    assert {cost.factor for cost in scale.costs.factors} == set(FACTORS)
    for name in FACTORS:
        ladder = {other: np.zeros(10, np.float32) for other in FACTORS} | {name: np.linspace(0, 5, 10, dtype="f4")}
        raw = apply(scale, components(recognition=[0.6] * 10), ladder).raw
        assert (np.diff(raw) <= 0).all()
        assert raw[-1] < raw[0]


def test_a_scale_of_costs_needs_severities():
    scale, _ = fit(random_components(20), 0.5, 1.0, random_severities(20))
    with pytest.raises(ValueError, match="severities"):
        apply(scale, random_components(5))


def test_as_the_chance_of_a_match_a_cosine_counts_where_it_decides():
    cosines = np.array([0.55, 0.63, 0.47, 0.95, 0.9, 0.05, 0.1], np.float32)
    chance = match_chance(cosines, 0.55, 0.08)
    np.testing.assert_allclose(chance[:3], [0.5, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], atol=1e-6)
    assert abs(chance[3] - chance[4]) < 0.01  # surely the person, in either picture
    assert abs(chance[5] - chance[6]) < 0.01  # a stranger either way
    assert match_chance(cosines, None, 0.08) is cosines


def test_the_fusion_takes_the_chance_of_a_match_and_costs_stay_those_of_the_cosine():
    c, severities = random_components(300), random_severities(300)
    scale, labels = fit(c, 0.7, 0.25, severities, 0.5, 0.1)
    spatial = kept(fit_costs(severities, c.recognition), severities)
    chance = 1 / (1 + np.exp((0.5 - c.recognition) / 0.1))
    np.testing.assert_array_equal(labels.spatial, spatial)
    np.testing.assert_allclose(labels.raw, (chance + 0.7 * spatial) / (1 - 0.25 * c.vision_language))
    assert (scale.match_threshold, scale.match_width) == (0.5, 0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.floats(-0.9, 0.9), st.floats(0.001, 1))
def test_a_frozen_scale_remembers_the_match(count, threshold, width):
    c, severities = random_components(count), random_severities(count)
    scale, labels = fit(c, 0.7, 0.25, severities, threshold, width)
    read = Scale.model_validate_json(scale.model_dump_json())
    np.testing.assert_array_equal(apply(read, c, severities).raw, labels.raw)
    for index in range(0, count, 7):
        alone = apply(read, pick(c, [index]), some(severities, [index]))
        assert alone.raw[0] == labels.raw[index]


def test_a_scale_of_an_older_version_means_the_published_ranks():
    c = random_components(100)
    scale, labels = fit(c, 0.5)
    newer = {"costs", "vision_language_weight", "match_threshold", "match_width", "ends"}
    again = Scale.model_validate(scale.model_dump(mode="json", exclude=newer))
    assert (again.spatial, again.vision_language_weight, again.match_threshold) == ("ranks", 1, None)
    np.testing.assert_array_equal(apply(again, c).quality, labels.quality)


class TestEnds:
    """Ends of the scale: one sample whose v_l is near 1 has a raw label ten times as large as any other's."""

    @staticmethod
    def medians(ends):
        random, count = np.random.default_rng(0), 20_000
        columns = {
            "recognition": random.normal(0.55, 0.25, count).clip(-1, 1),
            "vision_language": random.normal(0.3, 0.05, count),
            "yaw": np.abs(random.normal(0, 28, count)),
            "downsample": np.maximum(1, random.uniform(0.82, 1.6, count)),
            "blur": np.maximum(1, random.uniform(0.82, 1.6, count)),
        }
        before = fit(Components(**columns), 0.5, ends=ends)[1]
        columns["vision_language"][np.argmax(columns["recognition"])] = 0.97
        after = fit(Components(**columns), 0.5, ends=ends)[1]
        others = np.delete(np.abs(after.quality - before.quality), np.argmax(columns["recognition"]))
        return np.median(before.quality), np.median(after.quality), others.max()

    def test_one_outlier_moves_all_labels_of_the_published_scale(self):
        before, after, _ = self.medians(None)
        assert before > 0.5
        assert after < 0.06

    def test_one_outlier_moves_no_label_of_a_scale_between_percentiles(self):
        before, after, most = self.medians((0.5, 99.5))
        assert before == pytest.approx(after, abs=0.001)
        assert most < 0.001

    def test_ends_are_kept_and_what_lies_outside_is_clipped(self):
        c = random_components(1000)
        scale, labels = fit(c, 0.5, ends=(5, 90))
        assert scale.ends == (5, 90)
        assert (scale.raw_min, scale.raw_max) == pytest.approx(np.percentile(labels.raw, (5, 90)))
        assert ((labels.quality == 0).mean(), (labels.quality == 1).mean()) == pytest.approx((0.05, 0.1), abs=0.002)
        assert labels.clipped == 150
        np.testing.assert_array_equal(apply(scale, c).quality, labels.quality)
        np.testing.assert_array_equal(labels.group, fit(c, 0.5)[1].group)

    def test_equal_ends_are_refused(self):
        c = components(recognition=[0.1] * 99 + [0.9])
        with pytest.raises(ValueError, match=r"at both percentiles \[5, 90\] equal .* widen label.ends"):
            fit(c, 0.5, ends=(5, 90))
        with pytest.raises(ValueError, match="ends must rise"):
            LabelSection(ends=(50, 50))
