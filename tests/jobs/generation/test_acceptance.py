"""The falling share of accepted candidates: estimates of a run, and what they predict."""

import numpy as np
import pytest

from synfiqa.jobs.generation.acceptance import RECENT, Acceptance, FaceSpace

TRUE = FaceSpace(passes=0.7, too_similar=1e-3, evenness=2.0)


def simulated(rng, space, accepted, candidates=50):
    """Return the counts of a unit whose candidates pass and duplicate by chance."""
    counts = {"planned": candidates, "accepted": 0, "rejected:duplicate": 0}
    for _ in range(int(rng.binomial(candidates, space.passes))):
        identities = accepted + counts["accepted"]
        odds = (1 + space.too_similar * identities / space.evenness) ** space.evenness - 1
        counts["rejected:duplicate" if rng.random() < odds / (1 + odds) else "accepted"] += 1
    return counts


def generated(space, wanted, before=None, seed=0):
    """Return the acceptance of a simulated run at its end, and the candidates that it took."""
    rng, acceptance, accepted, candidates = np.random.default_rng(seed), Acceptance(before), 0, 0
    while accepted < wanted:
        counts = simulated(rng, space, accepted)
        acceptance.add(accepted, counts)
        accepted += counts["accepted"]
        candidates += counts["planned"]
    return acceptance, candidates


def test_the_law_is_the_integral_of_the_inverse_share():
    share = [(1 + 1e-3 * n / 2) ** -2 for n in range(3000)]
    assert TRUE.candidates(0, 3000) == pytest.approx(sum(1 / one for one in share) / 0.7, rel=0.01)


def test_without_duplicates_each_survivor_is_accepted():
    assert FaceSpace(0.5, 0.0).candidates(10, 60) == 100
    assert FaceSpace(0.5, 0.1).candidates(60, 60) == 0


def test_candidates_of_two_stretches_add_up():
    assert TRUE.candidates(0, 400) + TRUE.candidates(400, 1000) == pytest.approx(TRUE.candidates(0, 1000))


@pytest.mark.parametrize("seed", range(3))
def test_a_run_predicts_its_own_rest_from_its_recent_candidates(seed):
    acceptance, taken = generated(TRUE, 2000, seed=seed)
    assert taken == pytest.approx(TRUE.candidates(0, 2000), rel=0.1)
    found = acceptance.face_space()
    assert found.candidates(2000, 4000) == pytest.approx(TRUE.candidates(2000, 4000), rel=0.25)


def test_only_recent_candidates_count():
    acceptance = Acceptance()
    for _ in range(100):
        acceptance.add(0, {"planned": 100, "accepted": 0, "rejected": 100, "dead": 0})
    for _ in range(RECENT // 100):
        acceptance.add(50, {"planned": 100, "accepted": 80, "rejected": 20, "dead": 0})
    assert acceptance.face_space().passes == pytest.approx(0.8, abs=0.01)


def test_surplus_candidates_do_not_count():
    acceptance = Acceptance(FaceSpace(0.9))
    acceptance.add(0, {"planned": 1000, "accepted": 9, "rejected:surplus": 990})
    assert acceptance.face_space().passes == pytest.approx(0.9, abs=0.01)


def test_one_early_duplicate_does_not_make_a_run_look_hopeless():
    acceptance = Acceptance()
    acceptance.add(0, {"planned": 16, "accepted": 9, "rejected:duplicate": 1})
    assert acceptance.face_space().candidates(9, 1000) < 10_000


def test_what_is_known_before_a_run_is_the_first_plan():
    found = Acceptance(TRUE).face_space()
    assert (found.passes, found.too_similar) == pytest.approx((TRUE.passes, TRUE.too_similar))
