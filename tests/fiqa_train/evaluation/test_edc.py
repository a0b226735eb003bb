"""EDC and pAUC: against a plain loop over the specification's sentences, its published vectors, the exact limits."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synfiqa.fiqa_train.evaluation.curve.areas import above_ideal, ideal_area, ideal_fnmr, normalised_pauc, step_area
from synfiqa.fiqa_train.evaluation.curve.thresholds import check_resolution
from synfiqa.fiqa_train.evaluation.edc import FEW_CARRIERS, edc, pair_quality
from synfiqa.fiqa_train.evaluation.weighted_pairs import WeightedPairs


def loop_threshold(fmr, pairs):
    """Every distinct observed score is a candidate; nearest FMR wins, among ties the lowest similarity."""
    impostors = [s for s, genuine, _ in pairs if not genuine]
    best = None
    for t in sorted({s for s, _, _ in pairs}):
        distance = abs(sum(s >= t for s in impostors) / len(impostors) - fmr)
        if best is None or distance < best[0]:
            best = (distance, t)
    return best[1]


def loop_fnmr(pairs, threshold):
    genuines = [s for s, genuine, _ in pairs if genuine]
    return sum(not s > threshold for s in genuines) / len(genuines)


def loop_leaderboard(pairs, fmr):
    """Every pair is cut into so many equal parts that those of a tied one can leave one round after the other."""
    curve = []
    ranks = [(pair, sum(q < pair[2] for _, _, q in pairs), sum(q == pair[2] for _, _, q in pairs)) for pair in pairs]
    for twentieth in range(20):
        gone = len(pairs) * twentieth // 20
        rest = [(p, Fraction(min(max(worse + tied - gone, 0), tied), tied)) for p, worse, tied in ranks]
        parts = math.lcm(*(share.denominator for _, share in rest))
        rest = [pair for pair, share in rest for _ in range(int(share * parts))]
        if not any(g for _, g, _ in rest) or all(g for _, g, _ in rest):
            curve.append(math.nan)
        else:
            curve.append(loop_fnmr(rest, loop_threshold(fmr, rest)))
    return curve


def loop_iso_threshold(fmr, pairs):
    """The lowest threshold, among impostors, whose accepted share (strictly above) does not exceed the target."""
    impostors = [s for s, genuine, _ in pairs if not genuine]
    allowed = [t for t in impostors if sum(s > t for s in impostors) <= fmr * len(impostors) * (1 + 1e-12)]
    return min(allowed)


def loop_iso_area(pairs, fmr, limit):
    """Walk along r: the quality values that have left are those whose cumulative share is <= r."""
    threshold = loop_iso_threshold(fmr, pairs)
    genuines = [pair for pair in pairs if pair[1]]
    levels = sorted({q for _, _, q in genuines})
    area, start, rest = 0.0, 0.0, genuines
    for level in levels:
        share = sum(q <= level for _, _, q in genuines) / len(genuines)
        area += loop_fnmr(rest, threshold) * (min(share, limit) - min(start, limit))
        start, rest = share, [pair for pair in genuines if pair[2] > level]
    return area


small = st.integers(-4, 6)  # few distinct values: ties everywhere
pair_lists = st.lists(st.tuples(small, st.booleans(), small), min_size=4, max_size=60)
targets = st.sampled_from([0.05, 0.1, 1 / 3, 0.5, 0.75, 0.9])


def both_kinds(pairs, fmr):
    impostors = sum(not genuine for _, genuine, _ in pairs)
    assume(impostors < len(pairs) and fmr * impostors >= 1)
    return tuple(np.array(column) for column in zip(*pairs, strict=True))


@settings(max_examples=200, deadline=None)
@given(pair_lists, targets)
def test_leaderboard_equals_the_plain_loop(pairs, fmr):
    curve = edc(*both_kinds(pairs, fmr), fmr, mode="leaderboard")
    np.testing.assert_allclose(curve.fnmr, loop_leaderboard(pairs, fmr), atol=1e-12)
    assert curve.threshold[0] == loop_threshold(fmr, pairs)
    assert curve.discard == pytest.approx(np.arange(20) / 20)


@settings(max_examples=200, deadline=None)
@given(pair_lists, targets, st.sampled_from([0.1, 0.3, 0.95]))
def test_iso_equals_the_plain_loop(pairs, fmr, limit):
    curve = edc(*both_kinds(pairs, fmr), fmr, limit, mode="iso")
    threshold = loop_iso_threshold(fmr, pairs)
    assert set(curve.threshold) == {threshold}
    impostors = [s for s, genuine, _ in pairs if not genuine]
    assert sum(s > threshold for s in impostors) <= fmr * len(impostors) * (1 + 1e-12)
    assert step_area(curve.discard, curve.fnmr, limit) == pytest.approx(loop_iso_area(pairs, fmr, limit))


@settings(max_examples=200, deadline=None)
@given(pair_lists, targets, st.sampled_from(["leaderboard", "iso"]), st.data())
def test_a_weight_counts_as_so_many_copies(pairs, fmr, mode, data):
    columns = both_kinds(pairs, fmr)
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs))))
    copies = [np.repeat(column, weights) for column in columns]
    expected = math.nan
    if copies[1].any() and not copies[1].all():
        expected = WeightedPairs(*copies).pauc(fmr, 0.3, mode, np.ones(weights.sum()))
    assert WeightedPairs(*columns).pauc(fmr, 0.3, mode, weights) == pytest.approx(expected, nan_ok=True)
    single = WeightedPairs(*columns).pauc(fmr, 0.3, mode, np.ones(len(pairs)))
    assert edc(*columns, fmr, mode=mode).pauc == pytest.approx(single, nan_ok=True)


def test_continuous_scores_equal_the_loop_at_a_low_fmr():
    rng = np.random.default_rng(5)
    genuine = rng.random(700) < 0.3
    similarity = rng.normal(genuine * 1.5, 1)
    quality = similarity * genuine + rng.normal(0, 2, 700)
    pairs = list(zip(similarity, genuine, quality, strict=True))
    for fmr in (0.003, 0.01, 0.1):
        curve = edc(similarity, genuine, quality, fmr)
        np.testing.assert_allclose(curve.fnmr, loop_leaderboard(pairs, fmr), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fnmr", "pauc"),
    [
        ([0.1] * 7, 1.0),
        ([0.10, 0.08, 0.07, 0.06, 0.05, 0.045, 0.04], 0.625),
        ([0.18247, 0.13333, 0.1114, 0.0943, 0.0923, 0.0779, 0.0640], 0.577689),
    ],
)
def test_published_vectors(fnmr, pauc):
    assert normalised_pauc(np.array(fnmr)) == pytest.approx(pauc, abs=1e-6)


def random_pairs(rng, n=60_000):
    genuine = np.arange(n) < n // 3
    return rng.normal(genuine * 2.0, 1), genuine


@pytest.mark.parametrize("mode", ["leaderboard", "iso"])
def test_random_quality_is_worth_nothing(mode):
    rng = np.random.default_rng(1)
    similarity, genuine = random_pairs(rng)
    assert edc(similarity, genuine, rng.random(len(genuine)), 0.01, mode=mode).pauc == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("mode", ["leaderboard", "iso"])
@pytest.mark.parametrize("fmr", [0.001, 0.01, 0.3])
def test_a_constant_quality_is_worth_nothing(mode, fmr):
    """Genuine pairs came first and so left first: the curve ended before R, and pAUC was NaN."""
    similarity, genuine = random_pairs(np.random.default_rng(2), 30_001)
    curve = edc(similarity, genuine, np.zeros(30_001), fmr, mode=mode)
    assert curve.pauc == pytest.approx(1, abs=1e-12)
    assert set(curve.fnmr) == {curve.fnmr0}
    assert set(curve.threshold) == {curve.threshold[0]}


@settings(max_examples=200, deadline=None)
@given(pair_lists, targets, st.sampled_from(["leaderboard", "iso"]), st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_decides_nothing(pairs, fmr, mode, random):
    curve = edc(*both_kinds(pairs, fmr), fmr, mode=mode)
    random.shuffle(pairs)
    other = edc(*both_kinds(pairs, fmr), fmr, mode=mode)
    np.testing.assert_array_equal(curve.fnmr, other.fnmr)
    np.testing.assert_array_equal(curve.threshold, other.threshold)


@pytest.mark.parametrize("mode", ["leaderboard", "iso"])
def test_a_label_in_five_levels_is_worth_the_same_in_any_order(mode):
    """With the genuine pairs first, as pairs are enumerated, it had a pAUC of .84 instead of .89."""
    rng = np.random.default_rng(7)
    similarity, genuine = random_pairs(rng)
    quality = rng.normal(0, 1, len(genuine))
    similarity = np.where(genuine, similarity + quality, similarity)
    levels = np.digitize(quality, np.quantile(quality, [0.2, 0.4, 0.6, 0.8]))
    order = rng.permutation(len(genuine))
    shuffled = edc(similarity[order], genuine[order], levels[order], 0.01, mode=mode)
    genuines_first = edc(similarity, genuine, levels, 0.01, mode=mode)
    assert genuines_first.pauc == shuffled.pauc
    continuous = edc(similarity, genuine, quality, 0.01, mode=mode).pauc
    assert continuous < shuffled.pauc < 1, "coarse is worse than fine, and better than nothing"


def test_tied_pairs_at_the_cut_leave_in_equal_shares():
    """Forty of a hundred pairs leave: ten that are worse, and half of each of the sixty tied ones."""
    rng = np.random.default_rng(8)
    genuine = np.arange(100) < 50
    quality = np.repeat([1.0, 0.0, 1.0, 2.0], [30, 10, 30, 30])
    similarity = rng.permutation(100).astype(float)
    ties = edc(similarity, genuine, quality, 0.1).fnmr[8]
    rest = np.repeat(np.arange(100), (quality == 1) + 2 * (quality == 2))
    assert ties == edc(similarity[rest], genuine[rest], np.arange(len(rest)), 0.1).fnmr0


def test_an_oracle_follows_the_formula():
    """Errors leave first, so F(r) = max(0, (e - r) / (1 - r)); its normalised area for e = .10 is 0.1725."""
    rng = np.random.default_rng(3)
    genuine = np.arange(40_000) < 20_000
    similarity = np.where(genuine, np.where(np.arange(40_000) < 2000, -1.0, 1.0), 0.0) + rng.normal(0, 1e-3, 40_000)
    curve = edc(similarity, genuine, np.where(genuine, similarity, 9.0), 0.5, mode="iso")
    assert curve.fnmr0 == pytest.approx(0.1)
    np.testing.assert_allclose(curve.fnmr, np.maximum(0, (0.1 - curve.discard) / (1 - curve.discard)), atol=1e-9)
    assert curve.pauc == pytest.approx(0.1725, abs=2e-4)
    twentieths = np.arange(7) * 0.05
    ladder = np.maximum(0, (0.041 - twentieths) / (1 - twentieths))
    assert normalised_pauc(ladder) == pytest.approx(0.083, abs=5e-4)


def test_reversed_quality_harms():
    rng = np.random.default_rng(4)
    similarity, genuine = random_pairs(rng)
    quality = np.where(genuine, -similarity, rng.random(len(genuine)))
    assert edc(similarity, genuine, quality, 0.01, mode="iso").pauc > 1


def test_a_genuine_score_at_the_threshold_is_a_miss():
    similarity = np.array([0.9, 0.5, 0.4, 0.3, 0.2, 0.1])
    genuine = np.array([True, True, False, False, False, False])
    curve = edc(similarity, genuine, np.zeros(6), 0.3)
    assert curve.threshold[0] == 0.4, "FMR 1/4 is nearer to .3 than 2/4"
    assert curve.fnmr0 == 0
    strict = edc(np.append(similarity, [0.35]), np.append(genuine, [True]), np.zeros(7), 0.3)
    assert strict.threshold[0] == 0.35, "of the scores with FMR 1/4 the lowest, a genuine one"
    assert strict.fnmr0 == pytest.approx(1 / 3)


def test_iso_never_exceeds_the_target():
    """The nearest FMR was taken, which exceeded the target in a third of random cases, up to 1.28 times."""
    similarity = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.65])
    genuine = np.array([False] * 5 + [True])
    assert edc(similarity, genuine, np.zeros(6), 0.35).threshold[0] == 0.8, "two of five at or above: nearest to .35"
    curve = edc(similarity, genuine, np.zeros(6), 0.35, mode="iso")
    assert curve.threshold[0] == 0.8, "one of five accepted: two would be .4"
    assert edc(similarity, genuine, np.zeros(6), 0.4, mode="iso").threshold[0] == 0.7
    tied = np.array([0.9, 0.8, 0.8, 0.6, 0.5, 0.65])
    assert edc(tied, genuine, np.zeros(6), 0.4, mode="iso").threshold[0] == 0.8, "both of the tied ones or neither"


def test_the_result_says_how_many_identity_pairs_carry_the_threshold():
    """At FMR 1e-3 seventeen identity pairs carried the threshold, and dropping one moved pAUC by .03."""
    rng = np.random.default_rng(9)
    similarity, genuine = random_pairs(rng)
    people = rng.integers(0, 1000, len(genuine))
    curve = edc(similarity, genuine, rng.random(len(genuine)), 1e-2, identity_pairs=people)
    accepted = ~genuine & (similarity > curve.threshold[0])
    assert curve.carriers == len(set(people[accepted].tolist()))
    assert not curve.few_carriers
    few = edc(similarity, genuine, rng.random(len(genuine)), 1e-2, identity_pairs=people % (FEW_CARRIERS - 1))
    assert few.carriers == FEW_CARRIERS - 1
    assert few.few_carriers
    assert edc(similarity, genuine, similarity, 1e-3).carriers is None


def test_the_ideal_line_and_its_area():
    discard = np.linspace(0, 0.3, 300_001)
    for fnmr0 in (0.02, 0.1, 0.6):
        line = ideal_fnmr(fnmr0, discard)
        assert ideal_area(fnmr0, 0.3) == pytest.approx(np.trapezoid(line, discard), abs=1e-9)
        assert above_ideal(ideal_area(fnmr0, 0.3), 0.3, fnmr0) == pytest.approx(0)
        assert above_ideal(0.3 * fnmr0, 0.3, fnmr0) == pytest.approx(1)
    assert ideal_area(0.1, 0.3) / 0.03 == pytest.approx(0.1725, abs=1e-4)
    rng = np.random.default_rng(10)
    similarity, genuine = random_pairs(rng)
    curve = edc(similarity, genuine, np.zeros(len(genuine)), 0.01)
    assert curve.above_ideal == pytest.approx(1)
    assert curve.auc == pytest.approx(0.95 * curve.fnmr0)


def test_no_error_at_all_has_no_pauc_and_says_why():
    similarity = np.array([0.9, 0.8, 0.2, 0.1])
    for mode in ("leaderboard", "iso"):
        curve = edc(similarity, np.array([True, True, False, False]), np.arange(4), 0.5, mode=mode)
        assert curve.fnmr0 == 0
        assert math.isnan(curve.pauc)
        assert "F_0 = 0" in curve.note


def test_an_image_without_quality_leaves_first():
    rng = np.random.default_rng(6)
    similarity, genuine = random_pairs(rng, 3000)
    quality = rng.random(3000)
    quality[:40] = -np.inf
    assert edc(similarity, genuine, quality, 0.1).n_genuine == 1000
    with pytest.raises(ValueError, match="NaN"):
        edc(similarity, genuine, np.where(quality < 0, np.nan, quality), 0.1)


def test_a_target_that_the_pairs_cannot_show_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="at least 1000 impostor pairs, and there are 999"):
        check_resolution(1e-3, 10, 999)
    check_resolution(1e-3, 10, 1000)
    with pytest.raises(ValueError, match="no genuine pair"):
        check_resolution(1e-3, 0, 1000)
    with pytest.raises(ValueError, match="strictly between"):
        check_resolution(1.0, 10, 1000)
    with pytest.raises(ValueError, match="discard limit"):
        edc(np.arange(4.0), np.array([True, False, False, False]), np.arange(4), 0.5, discard_limit=1.0)
    with pytest.raises(ValueError, match="one length"):
        edc(np.arange(4.0), np.array([True, False]), np.arange(4), 0.5)


def test_pair_quality_is_the_weaker_image():
    np.testing.assert_array_equal(pair_quality(np.array([1.0, 5.0]), np.array([2.0, 3.0])), [1.0, 3.0])
