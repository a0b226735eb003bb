"""How many candidates N identities take: predicted in the measured face space, unknown elsewhere, refused in time."""

import pytest

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.jobs.generation.bundled_faces import MEASURED, candidates_line, known_face_space, predicted, require_enough
from synfiqa.jobs.generation.readiness import require_fit, run_check
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError


def run(**sections):
    return resolve(RunConfig.model_validate(sections))


def identities(count, **generate):
    return run(generate={"identities": count, **generate})


def test_a_small_run_takes_few_more_candidates_than_the_filter_rejects():
    found = predicted(identities(104))
    assert 104 / 0.75 < found.expected < 104 / 0.6
    require_enough(identities(104))


def test_stricter_uniqueness_takes_more_candidates():
    counts = [predicted(run(generate={"identities": 400}, filter={"max_similarity": one})).expected for one in MEASURED]
    assert counts == sorted(counts, reverse=True)
    between = predicted(run(generate={"identities": 400}, filter={"max_similarity": 0.58})).expected
    assert counts[list(MEASURED).index(0.6)] < between < counts[list(MEASURED).index(0.55)]


def test_what_cannot_end_is_refused_before_anything_is_made_with_the_remedy():
    """A run of 100,000 identities used to end at its limit, after two million candidates."""
    hopeless = identities(100_000)
    with pytest.raises(UserError, match=r"100000 identities take \d+ candidates or more .* raise generate.max_cand"):
        require_fit(hopeless)
    with pytest.raises(UserError, match="limit is 100"):
        run_check(identities(100, max_candidates=100).config)
    require_enough(identities(100_000, max_candidates=10**11))


def test_what_may_not_suffice_is_told_and_not_refused():
    close = identities(1000, max_candidates=predicted(identities(1000)).expected - 10)
    require_enough(close)
    assert "may not suffice" in candidates_line(close)
    assert "extrapolated" in candidates_line(identities(5000))


@pytest.mark.parametrize(
    "other",
    [
        {"models": {"uniqueness": "bundled-b"}},
        {"generate": {"skin_tones": [1] + [0] * 9}},
        {"filter": {"max_similarity": 0.2}},
        {"filter": {"profile": "faithful"}},
    ],
)
def test_elsewhere_the_number_is_unknown_and_nothing_is_refused(other):
    generate = {"identities": 100_000} | other.get("generate", {})
    elsewhere = run(**(other | {"generate": generate}))
    assert predicted(elsewhere) is None
    assert known_face_space(elsewhere) is None
    assert "is unknown" in candidates_line(elsewhere)
    require_enough(elsewhere)


def test_of_another_filter_only_the_duplicates_are_predicted():
    strict = run(generate={"identities": 104}, filter={"max_yaw": 2.0})
    assert predicted(strict).expected < predicted(identities(104)).expected
    assert "and those the filter rejects" in candidates_line(strict)


def test_the_check_says_how_many_candidates_a_run_takes(capsys):
    run_check(identities(104).config)
    assert "104 identities take about 1" in capsys.readouterr().out
