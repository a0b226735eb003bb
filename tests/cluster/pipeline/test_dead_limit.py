"""The limit of dead rows: it stops a run that is broken, not one that is unlucky."""

import pytest

from synfiqa.cluster.pipeline.dead_limit import DeadLimit
from synfiqa.schemas.errors import TooManyDead


def limit(planned, dead, rate=0.02):
    found = DeadLimit(rate, "samples")
    found.add(planned, dead, ["ValueError: x"] * dead)
    return found


@pytest.mark.parametrize(("planned", "dead"), [(200, 0), (24, 2), (200, 8), (10_000, 230)])
def test_what_chance_explains_goes_on(planned, dead):
    limit(planned, dead).check()


@pytest.mark.parametrize(("planned", "dead"), [(24, 5), (200, 14), (10_000, 300)])
def test_what_chance_does_not_explain_stops_with_exit_3_and_the_reason(planned, dead):
    with pytest.raises(
        TooManyDead, match=rf"{dead} of {planned} samples are dead \({dead} x ValueError: x\).*replay"
    ) as stop:
        limit(planned, dead).check()
    assert stop.value.exit_code == 3


def test_at_the_end_the_share_itself_decides():
    limit(100, 2).check_final()
    with pytest.raises(TooManyDead):
        limit(100, 3).check_final()


def test_a_limit_of_zero_allows_none_and_a_limit_of_one_allows_all():
    limit(100, 0, rate=0).check()
    with pytest.raises(TooManyDead):
        limit(10_000, 1, rate=0).check()
    limit(10, 10, rate=1).check()
    limit(10, 10, rate=1).check_final()


def test_replayed_rows_count_once():
    found = limit(100, 50)
    found.add(0, -50)
    found.check()
    found.check_final()
