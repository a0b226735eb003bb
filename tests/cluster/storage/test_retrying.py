"""Retries with a simulated clock; nothing here sleeps."""

import random

import pytest

from synfiqa.cluster.storage.retrying import Retrying
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable


class Clock:
    def __init__(self):
        self.time = 0.0
        self.waits = []

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.time += seconds


@pytest.fixture
def clock():
    return Clock()


def retrying(clock, budget=300.0, uniform=lambda low, high: high):
    return Retrying(budget, clock.sleep, lambda: clock.time, uniform)


def failing(times, error=ConnectionResetError, clock=None, takes=0.0):
    left = [times]

    def request():
        if clock:
            clock.time += takes
        if left[0] > 0:
            left[0] -= 1
            raise error("refused")
        return "done"

    return request


def test_a_request_that_succeeds_is_made_once_and_waits_for_nothing(clock):
    assert retrying(clock).call(failing(0), "x") == "done"
    assert clock.waits == []


def test_waits_double_up_to_a_bound(clock):
    assert retrying(clock).call(failing(10), "x") == "done"
    assert clock.waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20])


def test_waits_are_spread_over_the_whole_interval(clock):
    source = random.Random(3)
    first = []
    for _ in range(400):
        clock.waits.clear()
        retrying(clock, uniform=source.uniform).call(failing(1), "x")
        first += clock.waits
    assert min(first) < 0.005
    assert max(first) > 0.095
    assert sum(first) / len(first) == pytest.approx(0.05, abs=0.01)


def test_the_budget_is_spent_to_its_end_and_not_beyond_then_the_store_is_unavailable(clock):
    with pytest.raises(
        StorageUnavailable, match=r"cannot read x: .*for longer than 60 s; run the same command"
    ) as info:
        retrying(clock, 60).call(failing(10**6), "cannot read x")
    assert clock.time == pytest.approx(60)
    assert isinstance(info.value.__cause__, ConnectionResetError)
    assert info.value.exit_code == 1


def test_a_budget_of_nothing_tries_once(clock):
    with pytest.raises(StorageUnavailable):
        retrying(clock, 0).call(failing(1), "x")
    assert clock.waits == []


def test_slow_failures_count_against_the_budget(clock):
    with pytest.raises(StorageUnavailable):
        retrying(clock, 60).call(failing(10**6, TimeoutError, clock, takes=20), "x")
    assert clock.time <= 20 + 60 + 20


def test_a_permanent_error_is_raised_at_once(clock):
    with pytest.raises(StorageRefused, match="cannot write x: access is denied") as info:
        retrying(clock).call(failing(10**6, PermissionError), "cannot write x")
    assert clock.waits == []
    assert info.value.exit_code == 2


@pytest.mark.parametrize("error", [FileNotFoundError, FileExistsError, ValueError, KeyError])
def test_errors_that_come_from_no_store_are_raised_unchanged(clock, error):
    with pytest.raises(error):
        retrying(clock).call(failing(10**6, error), "x")
    assert clock.waits == []


def test_a_budget_that_was_spent_inside_is_not_spent_again(clock):
    """An upload in parts retries each part; its failure must not start the whole upload's budget once more."""
    inner, outer = retrying(clock, 10), retrying(clock, 10)
    with pytest.raises(StorageUnavailable):
        outer.call(lambda: inner.call(failing(10**6), "part"), "whole")
    assert clock.time == pytest.approx(10)


def test_of_many_keys_only_the_failed_ones_are_repeated(clock):
    asked = []

    def request(keys):
        asked.append(list(keys))
        return [ConnectionResetError() if key % 3 == len(asked) % 3 else key * 10 for key in keys]

    assert retrying(clock).each(request, list(range(6)), "abcdef") == [0, 10, 20, 30, 40, 50]
    assert asked == [[0, 1, 2, 3, 4, 5], [1, 4]]


def test_the_budget_of_many_keys_restarts_with_every_key_that_succeeds(clock):
    """Reading ten thousand commits from a throttled store takes longer than one budget but makes progress."""
    clock_step = 4.0

    def request(keys):
        clock.time += clock_step
        return [keys[0], *(ConnectionResetError() for _ in keys[1:])]

    assert retrying(clock, 5).each(request, list(range(40)), ["x"] * 40) == list(range(40))


def test_one_refused_key_ends_the_whole_request_with_its_name(clock):
    with pytest.raises(StorageRefused, match=r"^b: access is denied"):
        retrying(clock).each(lambda keys: [1, PermissionError(13, "no"), 3], [1, 2, 3], ["a", "b", "c"])


def test_an_interrupt_is_never_retried(clock):
    def request():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrying(clock).call(request, "x")
