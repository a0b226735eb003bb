"""Rate of ledger commits and requests for all commits, on a store with 30 ms a request, by a virtual clock."""

from benchmarks.speed.growth.synthetic_run import UNIT, candidates
from benchmarks.speed.growth.virtual_store import VirtualClock, VirtualStore
from synfiqa.cluster.commits.ledger_commits import GROUP, DecidedUnit, LedgerGroups
from synfiqa.cluster.commits.shard_store import ShardStore

LATENCY_S = 0.03
BAR = 5_000
"""Candidates a second that the commits of the ledger must allow."""


def candidates_per_second(units: int, *, grouped: bool) -> float:
    """Return how many candidates a second the commits of so many units allow, one by one or in groups."""
    clock = VirtualClock()
    store = ShardStore(VirtualStore(clock, LATENCY_S).storage(), "f" * 64)
    table = candidates(0, range(UNIT))
    counts = {"planned": UNIT, "accepted": UNIT, "rejected": 0, "dead": 0, "replayed": 0}
    decided = [DecidedUnit(number, table, counts, {}) for number in range(units)]
    groups = LedgerGroups(store, each=clock.spread)
    size = GROUP if grouped else 1
    for first in range(0, units, size):
        groups.commit(decided[first : first + size])
    return units * UNIT / clock.now


def requests_for_commits(units: int) -> tuple[int, int]:
    """Return how many requests the first and the second reader of so many commits send."""
    clock = VirtualClock()
    double = VirtualStore(clock, LATENCY_S)
    storage = double.storage()
    table = candidates(0, range(1))
    counts = {"planned": 1, "accepted": 1, "rejected": 0, "dead": 0, "replayed": 0}
    store = ShardStore(storage, "f" * 64)
    for number in range(units):
        store.commit("identities", number, table, counts)
    clock.now += 60
    store.commit("identities", units, table, counts)
    sent = []
    for _ in range(2):
        before = double.requests
        ShardStore(storage, "f" * 64).all_committed()
        sent.append(double.requests - before)
    return sent[0], sent[1]
