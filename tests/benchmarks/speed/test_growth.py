"""The arithmetic of the benchmark of growth, its virtual clock, and one tiny run of it."""

import pytest

from benchmarks.speed.growth import __main__ as growth
from benchmarks.speed.growth.arithmetic import Cost, exponent, verdict
from benchmarks.speed.growth.ledger import BAR, LATENCY_S, candidates_per_second
from benchmarks.speed.growth.virtual_store import VirtualClock, VirtualStore


def test_the_exponent_is_that_between_the_two_largest_sizes():
    assert exponent({10: 9.0, 100: 2.0, 1000: 20.0}) == pytest.approx(1)
    assert exponent({100: 2.0, 1000: 200.0}) == pytest.approx(2)


def test_costs_below_the_floor_are_no_growth():
    assert exponent({100: 0.001, 1000: 0.1}) == 0
    with pytest.raises(ValueError, match="two sizes"):
        exponent({100: 1.0})


def test_start_up_is_subtracted_and_leaves_no_negative_cost():
    assert Cost(5, 70).without(Cost(2, 50)) == Cost(3, 20)
    assert Cost(1, 10).without(Cost(2, 50)) == Cost(0, 0)


def test_the_verdict_names_every_job_above_the_bar():
    assert verdict({"label": 1.05, "train": 0.9}) == ("exponent bar 1.1: met by all 2 jobs, largest 1.05 (label)", True)
    line, met = verdict({"label": 2.04, "train": 0.9})
    assert not met
    assert line == "exponent bar 1.1: MISSED by label 2.04"


def test_virtual_time_passes_once_for_calls_side_by_side():
    clock = VirtualClock()
    store = VirtualStore(clock, 0.03)
    assert list(clock.spread(lambda name: store.put(name, b"x"), [str(n) for n in range(40)])) == [None] * 40
    assert (store.requests, clock.now) == (40, pytest.approx(0.06))
    store.read_each([str(n) for n in range(33)])
    assert clock.now == pytest.approx(0.12)


def test_ledger_commits_in_groups_allow_the_rate_that_they_must():
    """One unit after the other, 30 ms a request limited a generation of any size to 430 candidates a second."""
    assert candidates_per_second(4, grouped=False) == pytest.approx(64 / (5 * LATENCY_S))
    assert candidates_per_second(64, grouped=True) >= BAR


def test_a_tiny_run_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(growth, "TINY", 60)
    found = growth.table(str(tmp_path), (80, 160), 200, ["commit listing", "export parquet", "evaluate, data"])
    assert set(found) == {"commit listing", "export parquet", "evaluate, data"}
    assert all(value <= 1.1 for value in found.values())
    assert len(capsys.readouterr().out.splitlines()) == 4
