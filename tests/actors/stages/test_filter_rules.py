"""The filter's rules: which candidate is rejected, for which reason, with which value, in both profiles."""

import itertools
import math

import numpy as np
import pytest

from synfiqa.actors.roles import Detection
from synfiqa.actors.stages.filter_rules import Measured, judge, published_crop
from synfiqa.schemas.config.generate import FilterSection

GOOD = {"detection": 0.99, "yaw": 3.0, "expression": 0.0, "glasses": 0.0}
BAD = {"detection": 0.2, "yaw": -35.0, "glasses": 0.9, "expression": 0.7}
"""A value that breaks each rule, in the order of the rules."""
REASONS = {"detection": "no_face", "yaw": "yaw", "glasses": "glasses", "expression": "expression"}
CORRECTED, FAITHFUL = FilterSection(), FilterSection(profile="faithful")
NO_LANDMARKS = np.zeros((5, 2))


def judged(rules: FilterSection, **changes: float) -> tuple[str, float]:
    return judge(Measured(**(GOOD | changes)), rules)


@pytest.mark.parametrize("rules", [CORRECTED, FAITHFUL], ids=lambda rules: rules.profile)
def test_a_clean_frontal_neutral_face_passes(rules):
    reason, value = judged(rules)
    assert reason == ""
    assert math.isnan(value)


@pytest.mark.parametrize("field", BAD)
def test_each_rule_names_its_reason_and_keeps_the_measured_value(field):
    assert judged(CORRECTED, **{field: BAD[field]}) == (REASONS[field], BAD[field])


@pytest.mark.parametrize("broken", [pair for n in (2, 3, 4) for pair in itertools.combinations(BAD, n)], ids="-".join)
def test_of_several_broken_rules_the_first_in_the_published_order_counts(broken):
    # Detection, pose, glasses, expression; duplicates are judged later, by the registry.
    assert judged(CORRECTED, **{field: BAD[field] for field in broken}) == (REASONS[broken[0]], BAD[broken[0]])


@pytest.mark.parametrize("field", BAD)
def test_what_could_not_be_measured_breaks_its_rule(field):
    reason, value = judged(CORRECTED, **{field: math.nan})
    assert reason == REASONS[field]
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("detection", 0.7, ""),
        ("detection", 0.69, "no_face"),
        ("yaw", 19.99, ""),
        ("yaw", -19.99, ""),
        ("yaw", 20.0, "yaw"),
        ("yaw", -20.0, "yaw"),
        ("glasses", 0.5, ""),
        ("glasses", 0.501, "glasses"),
        ("expression", 0.25, ""),
        ("expression", 0.251, "expression"),
    ],
)
def test_limits_themselves_pass_except_yaw(field, value, reason):
    assert judged(CORRECTED, **{field: value})[0] == reason


def test_limits_are_those_of_the_config():
    rules = FilterSection(min_detection=0.1, max_yaw=40, max_glasses=0.95, max_expression=0.8)
    assert judge(Measured(**BAD), rules)[0] == ""


def test_the_faithful_profile_has_no_detection_rule():
    # Released: a face that is not found wears no glasses, and goes on.
    for detection in (0.0, 0.2, math.nan):
        assert judged(FAITHFUL, detection=detection)[0] == ""
        assert judged(CORRECTED, detection=detection)[0] == "no_face"


@pytest.mark.parametrize("field", ["yaw", "glasses", "expression"])
def test_all_other_rules_hold_in_both_profiles(field):
    assert judged(FAITHFUL, **{field: BAD[field]}) == judged(CORRECTED, **{field: BAD[field]})
    assert judged(FAITHFUL, **{field: math.nan})[0] == REASONS[field]


def picture(height: int, width: int) -> np.ndarray:
    """Return an image whose red is its row and whose green is its column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, 200)], axis=-1).astype(np.uint8)


def face(*box: float) -> Detection:
    return Detection(0.9, np.array(box, np.float64), NO_LANDMARKS)


def test_a_high_box_becomes_square_by_half_of_the_difference_on_both_sides():
    # 84 wide and 112 high: 14 pixels more on each side, and then nothing is resized.
    crop = published_crop(picture(200, 200), face(50, 30, 134, 142))
    assert crop.shape == (112, 112, 3)
    assert np.array_equal(crop, picture(200, 200)[30:142, 36:148])


def test_a_broad_box_becomes_broader_still():
    # 60 high and 80 wide: int(20 / 2) more on both sides, 100 x 60, and so no square.
    image = np.zeros((200, 200, 3), np.uint8)
    image[40:100, 40:140] = 255
    assert published_crop(image, face(50, 40, 130, 100)).min() == 255
    image[:, 39] = image[:, 140] = 77
    assert published_crop(image, face(50, 40, 130, 100)).min() == 255
    image[:, 40] = image[:, 139] = 0
    assert published_crop(image, face(50, 40, 130, 100))[:, [0, -1]].max() == 0


def test_an_odd_difference_is_rounded_down():
    # 101 wide, 112 high: int(11 / 2) = 5 more on both sides, 111 x 112.
    crop = published_crop(picture(200, 200), face(50, 30, 151, 142))
    assert crop[0, 0].tolist() == [30, 45, 200]
    assert crop[-1, -1].tolist() == [141, 155, 200]


def test_corners_are_rounded_to_pixels():
    crop = published_crop(picture(200, 200), face(49.6, 30.4, 162.4, 141.6))
    assert np.array_equal(crop, picture(200, 200)[30:142, 50:162])


def test_what_lies_outside_of_the_picture_is_black():
    crop = published_crop(picture(100, 100), face(-28, -12, 84, 100))
    expected = np.zeros((112, 112, 3), np.uint8)
    expected[12:, 28:] = picture(100, 100)[:100, :84]
    assert np.array_equal(crop, expected)


@pytest.mark.parametrize("box", [(300, 300, 412, 412), (-300, -300, -188, -188), (50, 50, 50, 50), (60, 60, 40, 40)])
def test_a_box_without_pixels_is_no_error(box):
    crop = published_crop(picture(100, 100), face(*box))
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8


def test_without_a_face_the_whole_picture_is_compared():
    assert np.array_equal(published_crop(picture(112, 112), None), picture(112, 112))
    crop = published_crop(picture(224, 56), None)
    assert crop.shape == (112, 112, 3)
    assert crop[0, 0, 0] < 2
    assert crop[-1, -1, 0] > 221
    assert abs(int(crop[56, 56, 1]) - 28) <= 1


def test_the_picture_is_left_as_it_was():
    image = picture(100, 100)
    published_crop(image, face(10, 10, 90, 60))
    assert np.array_equal(image, picture(100, 100))


def test_glasses_that_a_person_owns_break_no_rule_but_all_others_still_do():
    assert judged(CORRECTED, glasses=1.0, owns_glasses=True)[0] == ""
    assert judged(CORRECTED, glasses=1.0, owns_glasses=True, expression=0.7) == ("expression", 0.7)
    assert judged(CORRECTED, glasses=1.0, owns_glasses=False) == ("glasses", 1.0)
