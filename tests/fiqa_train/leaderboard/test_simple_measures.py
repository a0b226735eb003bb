"""What a leaderboard states beside pAUC: methods that a simple measure beats, agreement, speed; and its quick part."""

import cv2
import numpy as np
import pytest

from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.fiqa_train.datasets.formats import FORMATS, open_test_sets
from synfiqa.fiqa_train.datasets.pair_table import PairTable
from synfiqa.fiqa_train.datasets.testset import Crops, TestSet
from synfiqa.fiqa_train.leaderboard.quick_part import quick_part
from synfiqa.fiqa_train.leaderboard.scorer_costs import costs_of
from synfiqa.fiqa_train.leaderboard.simple_measures import beaten_by_simple, is_simple, rank_correlation
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import JUDGE, Interval
from synfiqa.schemas.leaderboard_result import SetFigures
from tests.fiqa_train.labelled_run import blurred, portrait
from tests.schemas.results import by_network, comparison, method


def bounds(low, high):
    return Interval(low=low, high=high, used=9, resamples=9)


def figures(methods):
    results = [by_network("bundled-b", True, comparison("leaderboard", 0.01, methods))]
    return SetFigures(name="run", protocol="pairs", images=9, results=results, skipped=[])


def test_the_best_simple_measure_is_compared_with_every_method_but_label_and_judge():
    methods = {
        "norm": method(0.5, bounds(0.4, 0.6)),
        "sharpness": method(0.9),
        "froq": method(0.55, bounds(0.5, 0.6)),
        "ser-fiq": method(0.8, bounds(0.7, 0.9)),
        "good": method(0.3),
        "unknown": method(None),
        "label": method(0.7),
        JUDGE: method(0.6),
    }
    found = beaten_by_simple([figures(methods)])
    assert [(one.method, one.simple, one.pauc, one.simple_pauc, one.apart) for one in found] == [
        ("froq", "norm", 0.55, 0.5, False),
        ("ser-fiq", "norm", 0.8, 0.5, True),
    ]


def test_without_a_simple_measure_or_a_beaten_method_nothing_is_stated():
    assert beaten_by_simple([figures({"froq": method(0.5)})]) == []
    assert beaten_by_simple([figures({"froq": method(0.5), "norm": method(0.5)})]) == []


def test_settings_whose_threshold_a_few_identity_pairs_carry_are_not_counted():
    own = figures({"froq": method(0.9), "norm": method(0.5)})
    few = own.results[0].model_copy(update={"carriers": 2, "few_carriers": True})
    assert len(beaten_by_simple([own])) == 1
    assert beaten_by_simple([own.model_copy(update={"results": [few]})]) == []


def test_simple_measures_need_neither_training_nor_calibration():
    assert all(map(is_simple, ("norm", "mirror", "sharpness", "detector", "random", "iso-contrast")))
    assert not any(map(is_simple, ("froq", "ser-fiq", "grafiqs", "perturbation", "bundled-quality", "default")))


def test_agreement_is_spearman_over_the_units_with_a_face():
    up = np.array([1.0, 2.0, 3.0, -np.inf])
    found = rank_correlation({"a": up, "b": up**3, "c": -up, "flat": np.zeros(4)}, np.array([True, True, True, False]))
    assert found.scorers == ["a", "b", "c", "flat"]
    assert found.values == [[1, 1, -1, 0], [1, 1, -1, 0], [-1, -1, 1, 0], [0, 0, 0, 1]]


def test_speed_is_measured_one_by_one_and_in_batches(monkeypatch):
    monkeypatch.setattr("synfiqa.fiqa_train.leaderboard.scorer_costs.QUICK_BUDGET_S", 0.02)
    faces = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    scorers = scorers_of(["sharpness", "iso-contrast"], ScorerSettings(), {}, "test")
    found = costs_of(scorers, faces, quick=True)
    assert [cost.scorer for cost in found] == ["sharpness", "iso-contrast"]
    for cost in found:
        assert cost.batch in (8, 16, 24, 32), "whole calls of a network"
        assert min(cost.single_per_s, cost.batch_per_s, cost.cpu_ms) > 0


def people(count, each, **changes):
    total = count * each
    images = np.arange(total, dtype=np.uint8)[:, None, None, None].repeat(112, 1).repeat(112, 2).repeat(3, 3)

    def crops():
        for start in range(0, total, 5):
            part = images[start : start + 5]
            yield Crops(part, tuple(f"reason {at}" if at % 7 == 0 else "" for at in range(start, start + len(part))))

    known = {"identity": np.repeat(np.arange(count), each), "is_reference": np.tile(np.arange(each) < 2, count)}
    ids = tuple(f"{at}" for at in range(total))
    return TestSet("set", "test", "all", "d", ids, crops, **(known | changes))


def test_a_quick_part_has_an_equal_share_of_some_people_half_of_it_references():
    part, kept = quick_part(people(8, 10), 4, 16, seed=1)
    assert len(kept) == len(part.ids) == 16
    assert part.ids == tuple(str(at) for at in kept)
    people_there, counts = np.unique(part.identity, return_counts=True)
    assert (len(people_there), set(counts)) == (4, {4})
    assert part.is_reference.sum() == 8
    read = list(part.crops())
    assert np.concatenate([crops.images[:, 0, 0, 0] for crops in read]).tolist() == kept.tolist()
    reasons = [reason for crops in read for reason in crops.reasons]
    assert reasons == [f"reason {at}" if at % 7 == 0 else "" for at in kept]
    assert "16 of 80 images" in part.protocol
    again, _ = quick_part(people(8, 10), 4, 16, seed=1)
    assert again.ids == part.ids


def test_listed_pairs_stay_between_images_that_are_kept():
    first, second = np.triu_indices(80, 1)
    identity = np.repeat(np.arange(8), 10)
    pairs = PairTable(first, second, identity[first] == identity[second])
    part, kept = quick_part(people(8, 10, pairs=pairs), 3, 12, seed=0)
    assert len(part.pairs.first) == 12 * 11 // 2
    assert (kept[part.pairs.first] < kept[part.pairs.second]).all()
    assert (part.pairs.genuine == (part.identity[part.pairs.first] == part.identity[part.pairs.second])).all()


def test_a_small_set_and_one_of_unknown_people_stay_whole():
    small = people(3, 4)
    assert quick_part(small, 20, 240, seed=0)[0] is small
    pairs = PairTable(np.array([0]), np.array([1]), np.array([True]))
    unknown = people(8, 10, identity=None, is_reference=None, pairs=pairs)
    assert quick_part(unknown, 2, 4, seed=0)[0] is unknown


def test_files_that_are_not_kept_are_not_opened(tmp_path):
    for person in range(3):
        (tmp_path / f"person{person}").mkdir()
        for number in range(4):
            image = blurred(portrait(person), number).astype(np.uint8)
            cv2.imwrite(str(tmp_path / f"person{person}" / f"{number}.png"), image)
    whole = open_test_sets([f"people={tmp_path}"], FORMATS)[0]
    part, kept = quick_part(whole, 2, 4, seed=0)
    for at in set(range(12)) - set(kept.tolist()):
        (tmp_path / f"{whole.ids[at]}.png").write_bytes(b"damaged")
    images = np.concatenate([crops.images for crops in part.crops()])
    assert len(images) == len(kept) == 4
    with pytest.raises(UserError, match="restore the file"):
        list(whole.crops())
