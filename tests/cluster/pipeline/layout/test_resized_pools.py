"""Which workers of a pool end when it is too large, on a pool without Ray."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from synfiqa.cluster.pipeline.layout.resizing import EXCHANGE_S, REBALANCE_S, Resizing


@dataclass(frozen=True)
class Config:
    min_size: int = 1
    max_size: int = 1
    initial_size: int = 1

    def __post_init__(self):
        assert self.min_size >= 1


@dataclass
class Pool:
    """What of Ray Data's pool is used: workers by name with the units they hold, and whether they have a process."""

    _running_actors: dict
    pending: int = 0
    _config: Config = field(default_factory=Config)
    ranked: list = field(default_factory=list)

    def min_size(self):
        return self._config.min_size

    def max_size(self):
        return self._config.max_size

    def current_size(self):
        return len(self._running_actors) + self.pending

    def num_pending_actors(self):
        return self.pending

    def _update_rank(self, *, actor, state, died):
        self.ranked.append((actor, died))

    def _try_remove_pending_actor(self):
        removed = self.pending > 0
        self.pending -= removed
        return removed

    def _release_running_actor(self, actor):
        del self._running_actors[actor]


def worker(units=0, node="a", *, restarting=False):
    return SimpleNamespace(num_tasks_in_flight=units, actor_location=node, is_restarting=restarting)


def resizing(pool):
    clock = SimpleNamespace(time=0.0)
    return Resizing([pool], lambda: clock.time), clock


def test_a_pool_that_should_grow_does_so_in_ray_datas_next_step():
    pool = Pool({"one": worker(2)})
    resizing(pool)[0].apply([4], {"a"})
    assert (pool.min_size(), pool.max_size()) == (4, 4)


def test_a_pool_without_a_usable_node_keeps_one_worker():
    """Its size was 0 while the table of nodes was empty for a moment; Ray Data's assertion ended the run."""
    pool = Pool({"one": worker(0)})
    resizing(pool)[0].apply([0], set())
    assert (pool.min_size(), pool.max_size()) == (1, 1)
    assert list(pool._running_actors) == ["one"]


def test_a_pool_that_is_too_large_keeps_workers_that_have_loaded_their_models():
    pool = Pool({"one": worker(2), "two": worker(0)})
    resizing(pool)[0].apply([1], {"a"})
    assert list(pool._running_actors) == ["one", "two"]
    assert (pool.min_size(), pool.max_size()) == (1, 2)


def test_workers_on_a_node_that_is_drained_end_when_they_have_nothing_left():
    pool = Pool({"one": worker(2), "two": worker(1, "drained"), "three": worker(0, "drained")})
    sizes, _ = resizing(pool)
    sizes.apply([1], {"a"})
    assert list(pool._running_actors) == ["one", "two"]
    pool._running_actors["two"].num_tasks_in_flight = 0
    sizes.apply([1], {"a"})
    assert list(pool._running_actors) == ["one"]


def test_a_worker_makes_room_for_one_that_holds_units_of_a_lost_node():
    pool = Pool({"one": worker(2), "two": worker(1), "lost": worker(2, "gone", restarting=True)})
    sizes, clock = resizing(pool)
    sizes.apply([2], {"a"})
    assert pool.ranked == []
    clock.time = EXCHANGE_S
    sizes.apply([2], {"a"})
    assert pool.ranked == [("two", True)]
    pool._running_actors["two"].num_tasks_in_flight = 0
    sizes.apply([2], {"a"})
    assert list(pool._running_actors) == ["one", "lost"]


def test_the_last_worker_ends_only_for_one_with_units_of_its_own_pool():
    kept, left = (
        Pool({"one": worker(1)}, pending=0),
        Pool({"two": worker(1), "lost": worker(2, "gone", restarting=True)}),
    )
    clock = SimpleNamespace(time=0.0)
    sizes = Resizing([kept, left], lambda: clock.time)
    for clock.time in (0.0, EXCHANGE_S):
        sizes.apply([1, 1], {"a"})
    assert (kept.ranked, left.ranked) == ([], [("two", True)])


def test_a_pool_that_is_too_large_makes_room_for_one_that_became_slower():
    """Sizes followed measured paces only where the cluster had room left: idle workers kept their places for ever."""
    large, slow = Pool({"one": worker(1), "two": worker(0), "three": worker(2)}), Pool({"four": worker(2)})
    clock = SimpleNamespace(time=0.0)
    sizes = Resizing([large, slow], lambda: clock.time)
    sizes.apply([1, 3], {"a"})
    slow.pending = 2
    for clock.time in (1.0, REBALANCE_S):
        sizes.apply([1, 3], {"a"})
        assert large.ranked == []
    clock.time = 1.0 + REBALANCE_S
    sizes.apply([1, 3], {"a"})
    assert large.ranked == [("two", True), ("one", True)]
    sizes.apply([1, 3], {"a"})
    assert list(large._running_actors) == ["one", "three"], "the other ends when it has nothing left"


def test_workers_that_have_not_started_end_first():
    pool = Pool({"one": worker(2)}, pending=2)
    resizing(pool)[0].apply([1], {"a"})
    assert (list(pool._running_actors), pool.pending) == (["one"], 0)
