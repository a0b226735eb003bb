"""People: shares of what they own, wider coefficients, and that nothing else moves."""

import numpy as np
import pytest

from synfiqa.actors.face3d.shape.coefficients import LIMIT
from synfiqa.actors.face3d.shape.head import neutral_grid
from synfiqa.actors.face3d.shape.identity import sample_identity
from synfiqa.actors.face3d.shape.person import MORE_BEARDS, sample_person
from synfiqa.schemas.config.people import PRESETS, PeopleSection

SEEDS = range(5000, 6500)
VARIED = PRESETS["varied"]
MANY = [sample_person(seed, VARIED) for seed in SEEDS]
BEFORE = [sample_identity(seed) for seed in SEEDS]


def test_the_defaults_are_the_identities_of_before():
    for seed in range(20):
        assert sample_person(seed).key == sample_identity(seed).key


def test_a_person_is_a_function_of_the_seed():
    assert sample_person(7, VARIED).key == sample_person(7, VARIED).key


def test_shares_are_the_configured_ones():
    women = [one for one in MANY if one.number("sex") < 0.5]
    bearded = [one for one, old in zip(MANY, BEFORE, strict=True) if old.attributes["beard"] != "none"]
    fair = [one for one in MANY if one.number("skin_tone") <= 6]
    assert np.mean([one.attributes["own_glasses"] for one in MANY]) == pytest.approx(VARIED.glasses, abs=0.04)
    assert np.mean([one.attributes["headwear"] == "headscarf" for one in women]) == pytest.approx(0.08, abs=0.025)
    assert np.mean([one.attributes["headwear"] == "cap" for one in MANY]) == pytest.approx(0.04, abs=0.015)
    assert np.mean([one.attributes["beard"] in MORE_BEARDS for one in bearded]) == pytest.approx(0.3, abs=0.06)
    assert np.mean([one.number("freckled") > 0 for one in fair]) == pytest.approx(0.15, abs=0.04)
    assert np.mean([one.number("more_moles") for one in MANY]) == pytest.approx(1.5, abs=0.15)


def test_one_share_moves_no_other_draw():
    """Each attribute has random numbers of its own: with glasses alone, faces and all else stay."""
    for seed in range(40):
        before, own = sample_identity(seed), sample_person(seed, PeopleSection(glasses=0.5))
        np.testing.assert_array_equal(before.shape, own.shape)
        shared = before.attributes.keys() - {"glasses"}
        assert all(own.attributes[name] == before.attributes[name] for name in shared)
        more = sample_person(seed, PeopleSection(glasses=0.5, cap=0.5, moles=3))
        assert more.attributes["own_glasses"] == own.attributes["own_glasses"]


def test_more_people_own_glasses_at_a_higher_share_and_none_lose_them():
    few, many = ({s for s in range(300) if sample_person(s, PeopleSection(glasses=g)).attributes["own_glasses"]}
                 for g in (0.2, 0.6))  # fmt: skip
    assert few < many


def test_only_owners_wear_glasses_where_glasses_are_owned():
    assert all(one.attributes["glasses"] == one.attributes["own_glasses"] for one in MANY)


def test_wider_coefficients_stay_within_the_limit():
    wide, usual = np.stack([one.shape for one in MANY]), np.stack([one.shape for one in BEFORE])
    assert np.abs(wide).max() <= LIMIT
    assert (wide.std(0) > 1.1 * usual.std(0)).all()


def test_lines_grow_with_age():
    young, old = ([one.number("lines") for one in MANY if low <= one.number("age") < high]
                  for low, high in ((18, 25), (60, 76)))  # fmt: skip
    assert max(young) == 0.0
    assert min(old) > 0.6 * VARIED.lines


def test_relief_is_the_persons_own_and_small():
    person = sample_identity(3)
    changes = []
    for seed in (3, 4):
        one = sample_person(seed, PeopleSection(relief=1.0))
        flat = one.with_attributes(relief=0.0)
        changes.append(neutral_grid(one) - neutral_grid(flat))
    assert 0.01 < np.abs(changes[0][..., 2]).max() < 0.12
    assert np.abs(changes[0] - changes[1]).max() > 0.01
    np.testing.assert_array_equal(neutral_grid(person), neutral_grid(sample_person(3)))
