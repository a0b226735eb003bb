"""Groups of ledger units, searched exhaustively: the ledger has no gap that its commits do not fill."""

from functools import cache

import pyarrow as pa
import pytest

from synfiqa.cluster.commits import shard_store
from synfiqa.cluster.commits.ledger_commits import DecidedUnit, LedgerGroups, complete_ledger
from synfiqa.cluster.commits.shard_formats import content_digest
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.upkeep.garbage import collect_garbage
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit, DeadRow
from synfiqa.schemas.rows import CANDIDATES
from tests.cluster.protocol.actors import AGE_GUARD, FINGERPRINT
from tests.cluster.protocol.explorer import Actor, Invariants, Search
from tests.cluster.protocol.model_store import LATE, LOST
from tests.cluster.protocol.test_commit_protocol import _remembering

ENFORCING = pytest.mark.parametrize("enforcing", [True, False], ids=["create-if-absent", "last writer wins"])
DEAD = (DeadRow(item="0", stage="identity_generator", error="ValueError: flaky", attempts=2),)


@cache
def rows(number, history):
    row = dict.fromkeys(CANDIDATES.names) | {"candidate": number, "unit": number, "status": "dead", "reason": history}
    return pa.Table.from_pylist([row], schema=CANDIDATES)


@cache
def digest(number, history):
    return content_digest(rows(number, history))


def unit(number, history):
    counts = {"planned": 1, "accepted": 0, "rejected": 0, "dead": 1}
    return DecidedUnit(number, rows(number, history), counts, {}, DEAD if history == "other" else ())


def driver(name, units, history="made", store=ShardStore):
    """Return a driver that decides what is missing; what it finds decided is the history that it goes on from."""

    def program(storage):
        ledger = store(storage, FINGERPRINT)
        committed = complete_ledger(ledger)
        found = [past for past in ("made", "other") if committed and committed[0].content_sha256 == digest(0, past)]
        missing = range(len(committed), units)
        if missing:
            LedgerGroups(ledger, each=map).commit([unit(number, *(found or [history])) for number in missing])
        return "done"

    return Actor(name, "writer", program, kind=(units, history, store))


@pytest.fixture(autouse=True)
def remembered(monkeypatch):
    """Cache the encoding, a pure function that is called with the same rows for every history of every driver."""
    for name in ("encode", "content_digest"):
        monkeypatch.setattr(shard_store, name, _remembering(getattr(shard_store, name)))


parsed = cache(Commit.model_validate_json)


def ledger_of(world):
    commits = [parsed(data) for path, data in world.files().items() if path.startswith("commits/")]
    promised = {follower.number: follower for commit in commits for follower in commit.followers}
    return {commit.number: commit for commit in commits}, promised


def sound(world):
    """Return what is wrong with the ledger: a gap that is not recorded, decisions from two histories, missing data."""
    commits, promised = ledger_of(world)
    whole = promised | commits
    for number in range(max(whole, default=-1) + 1):
        if number not in whole:
            return f"unit {number} is missing and not recorded"
        if commits.get(number, whole[number]).content_sha256 != promised.get(number, whole[number]).content_sha256:
            return f"unit {number} is not what is recorded"
    for history in ("made", "other"):
        own = [number for number, commit in whole.items() if commit.content_sha256 == digest(number, history)]
        if own and len(own) < len(whole):
            return "the ledger has decisions from two histories"
    gone = [commit.file.path for commit in whole.values() if commit.file.path not in world.files()]
    return f"{gone[0]} is named, but it is not there" if gone else None


def ended(actor, result, world):
    if isinstance(result, Exception) and not isinstance(result, JobFailed):
        return f"{actor.name} failed: {result}"
    return None


def search(actors, *, enforcing=True, **options):
    report = Search(actors, Invariants(world=sound, result=ended, end=sound), enforcing=enforcing, **options).run()
    return report.violation, report.states


@ENFORCING
def test_two_drivers_and_crashes_leave_no_gap(enforcing):
    violation, states = search([driver("a", 2), driver("b", 2)], enforcing=enforcing)
    assert violation is None
    assert states > 1000


@ENFORCING
def test_a_driver_with_fewer_units_at_once_does_not_contradict_the_group(enforcing):
    assert search([driver("a", 3), driver("b", 1)], enforcing=enforcing)[0] is None


def test_a_driver_whose_candidates_died_does_not_mix_its_decisions_in():
    assert search([driver("a", 2), driver("b", 2, "other")])[0] is None


def test_gc_keeps_the_data_of_units_that_are_recorded_only():
    collector = Actor("gc", "gc", lambda storage: collect_garbage(storage, AGE_GUARD))
    assert search([driver("a", 2), collector])[0] is None


@pytest.mark.parametrize("fault", [LATE, LOST])
@ENFORCING
def test_answers_get_lost_or_requests_arrive_late(enforcing, fault):
    assert search([driver("a", 2)], enforcing=enforcing, faults=(fault,))[0] is None


def test_bug_units_of_a_group_are_not_recorded():
    """Committing all at once without a record leaves gaps, and a later driver decides them otherwise."""

    class Unrecorded(ShardStore):
        def create(self, uploaded, followers=()):
            if not followers:
                return super().create(uploaded)
            return super().create(uploaded).model_copy(update={"followers": tuple(followers)})

    def backwards(function, items):
        return reversed([function(item) for item in reversed(list(items))])

    def program(storage):
        groups = LedgerGroups(Unrecorded(storage, FINGERPRINT), each=backwards)
        return groups.commit([unit(number, "made") for number in range(3)]) and "done"

    assert search([Actor("a", "writer", program)])[0] == "unit 1 is missing and not recorded"
