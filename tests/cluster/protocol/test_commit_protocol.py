"""Promise 2, searched exhaustively: every order of every request of real writers, readers and gc on a small store.

The sizes here take seconds. `SYNFIQA_MODEL=large` adds the larger ones, some minutes in all; `-s` shows states.

Assumptions of the model: a put of a commit arrives whole or not at all, and reads and listings see the latest put.
`explorer.Timing` has the assumption of gc: when no upload waits for its commit longer than the age guard, all
invariants hold on every store; the tests below "What gc needs" show what holds otherwise.
"""

import os
import sys
from unittest.mock import patch

import pytest

from synfiqa.cluster.commits import shard_store
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.upkeep import garbage
from synfiqa.cluster.upkeep.garbage import committed_paths, find_garbage
from synfiqa.schemas.manifest import DeadRow
from tests.cluster.protocol import seeded_bugs
from tests.cluster.protocol.actors import collector, invariants, reader, replay, writer
from tests.cluster.protocol.explorer import Actor, Invariants, Search
from tests.cluster.protocol.model_store import CUT, LATE, LATE_CUT, LOST

ENFORCING = pytest.mark.parametrize("enforcing", [True, False], ids=["create-if-absent", "last writer wins"])
LARGE = pytest.mark.skipif(os.environ.get("SYNFIQA_MODEL") != "large", reason="minutes: set SYNFIQA_MODEL=large")
DEAD = DeadRow(item="000000/1", stage="annotator", error="ValueError: poison", attempts=2)


@pytest.fixture(autouse=True)
def remembered(monkeypatch):
    """Cache the encoding, a pure function that is called with the same rows for every history of every writer."""
    for name in ("encode", "content_digest"):
        monkeypatch.setattr(shard_store, name, _remembering(getattr(shard_store, name)))


def _remembering(function):
    known = {}

    def call(table, *options):
        key = repr((table.to_pylist(), options))
        if key not in known:
            known[key] = function(table, *options)
        return known[key]

    return call


def holds(actors, *, enforcing, loud=False, strict=True, contents=("made",), **options):
    """Search and assert that there is no violation."""
    rules = invariants(strict=strict, frozen=enforcing, loud=loud, contents=contents)
    report = Search(actors, rules, enforcing=enforcing, **options).run()
    sys.stdout.write(f"{report}\n")
    assert report.violation is None, str(report)
    return report


def breaks(actors, *, enforcing=True, loud=True, strict=True, **options):
    """Search for a violation and return the report with its history."""
    rules = invariants(strict=strict, frozen=enforcing, loud=loud, contents=("made", "other"))
    report = Search(actors, rules, enforcing=enforcing, **options).run()
    sys.stdout.write(f"{report}\n")
    assert report.violation is not None
    return report


@ENFORCING
def test_writers_readers_gc_and_crashes(enforcing):
    report = holds([writer("a"), writer("b"), reader(), collector()], enforcing=enforcing)
    assert report.states > 10_000


@ENFORCING
def test_three_writers_of_one_shard_and_a_reader_however_slow(enforcing):
    holds([writer("a"), writer("b"), writer("c"), reader()], enforcing=enforcing, timing="any")


@ENFORCING
def test_answers_get_lost_and_requests_arrive_late(enforcing):
    """A timed-out create may have been done, or be done later, when others have long finished."""
    holds([writer("a"), writer("b")], enforcing=enforcing, timing="any", faults=(LATE, LOST))


@ENFORCING
def test_late_requests_and_gc(enforcing):
    holds([writer("a"), writer("b"), collector()], enforcing=enforcing, faults=(LATE,))


@ENFORCING
def test_a_short_upload_is_noticed_before_it_is_committed(enforcing):
    holds([writer("a"), writer("b"), reader()], enforcing=enforcing, timing="any", faults=(CUT,), loud=True)


@ENFORCING
def test_a_cut_upload_may_be_stored_in_part_or_removed_at_any_later_moment(enforcing):
    """Its repetition has another name, so that neither reaches what is committed."""
    holds([writer("a"), writer("b"), reader()], enforcing=enforcing, timing="any", faults=(LATE_CUT,))
    holds([writer("a"), collector()], enforcing=enforcing, faults=(LATE_CUT, LATE_CUT))


@ENFORCING
def test_a_replay_and_what_it_supersedes(enforcing):
    holds([writer("a"), replay("b"), reader(), collector()], enforcing=enforcing)


@ENFORCING
def test_dead_rows_are_committed_with_their_shard(enforcing):
    holds([writer("a", dead=[DEAD]), writer("b", dead=[DEAD]), collector()], enforcing=enforcing)


def test_attempts_that_differ_in_dead_rows_do_not_replace_each_other():
    """A row that is dead in one attempt may live in another; the first commit is what the shard is."""
    attempts = [writer("a", dead=[DEAD]), writer("b", content="other"), reader()]
    holds(attempts, enforcing=True, contents=("made", "other"))


def test_broken_determinism_is_refused_and_changes_nothing():
    holds([writer("a"), writer("b", content="other"), reader()], enforcing=True, loud=True, contents=("made", "other"))


def test_without_create_if_absent_attempts_that_differ_do_replace_each_other():
    """The limit of last-writer-wins, and why the lease matters more there: it keeps a second writer away."""
    report = breaks([writer("a", dead=[DEAD]), writer("b", content="other")], enforcing=False)
    assert report.violation == "commits/shard-000000.json has changed to other content"


# Protocols in use elsewhere have had each of these bugs; the search must find them.


def test_bug_the_commit_is_written_before_the_data():
    report = breaks([writer("a", store=seeded_bugs.CommitBeforeData)])
    assert report.violation.startswith("commits/shard-000000.json names samples/shard-000000-")
    assert report.violation.endswith("which is not there")
    assert len(report.trace) == 2
    assert "put if absent commits/shard-000000.json" in report.trace[-1]


def test_bug_a_loser_deletes_its_data():
    """Harmless where the store enforces create-if-absent, fatal where a request that was given up lands after all."""
    writers = [writer(name, store=seeded_bugs.LoserDeletes) for name in "ab"]
    report = breaks(writers, enforcing=False, faults=(LATE,))
    assert report.violation.endswith("which is not there")
    assert report.trace[-1].strip().split(" ", 1)[1].startswith("network: put if absent commits/shard-000000.json")
    assert any("still on the wire" in step for step in report.trace)
    holds(writers, enforcing=True, faults=(LATE,))


def test_bug_a_writer_removes_other_files_of_a_committed_shard():
    """Without create-if-absent the swept file may be named a moment later, by a writer that had looked before."""
    writers = [writer(name, store=seeded_bugs.WinnerSweeps) for name in "ab"]
    report = breaks(writers, enforcing=False)
    assert report.violation.endswith("which is not there")
    assert "put if absent commits/shard-000000.json" in report.trace[-1]
    holds(writers, enforcing=True, loud=True)


def test_bug_gc_without_an_age_guard():
    report = breaks([writer("a"), collector(collect=seeded_bugs.collect_without_guard)])
    assert report.violation.endswith("which is not there")
    assert not any("clock:" in step for step in report.trace)


def test_bug_gc_reads_the_commits_before_it_lists_the_files():
    report = breaks([writer("a"), collector(collect=seeded_bugs.collect_commits_first)], loud=False)
    assert report.violation.endswith("which is not there")
    steps = [step for step in report.trace if "gc: scan commits" in step or "a: put if absent" in step]
    assert ["gc" in step for step in steps] == [True, False]


def test_bug_gc_takes_superseded_revisions_for_garbage():
    collect = collector(collect=seeded_bugs.collect_superseded)
    report = breaks([writer("a"), replay("b"), collect], loud=False)
    assert report.violation.startswith("commits/shard-000000.json names samples/shard-000000-a")
    assert "gc: delete" in report.trace[-1]


def test_bug_no_second_look_at_the_data_after_the_commit():
    """A writer was suspended during gc: with the second check it uploads again, without it the commit has no data."""
    options = {"strict": False, "timing": "asleep during gc"}
    report = breaks([writer("a", store=seeded_bugs.NoSecondLook), collector()], **options)
    assert report.violation.endswith("which is not there")
    for enforcing in (True, False):
        holds([writer("a"), writer("b"), collector()], enforcing=enforcing, loud=True, **options)


def test_bug_uploads_are_not_measured():
    report = breaks([writer("a", store=seeded_bugs.NoSizeCheck)], faults=(CUT,))
    assert report.violation.endswith("which is short")


def test_bug_a_repeated_upload_keeps_its_name():
    report = breaks([writer("a", store=seeded_bugs.OneNameForAllTries)], faults=(LATE_CUT,))
    assert report.violation.endswith(("which is short", "which is not there"))
    assert "put if absent commits/shard-000000.json" in "".join(report.trace)
    assert "network: " in report.trace[-1]


def test_bug_every_attempt_writes_the_same_name():
    report = breaks([writer(name, store=seeded_bugs.OneNameForAll) for name in "ab"], faults=(CUT,))
    assert report.violation.endswith("which is short")


def test_bug_the_last_commit_wins_where_the_first_should():
    report = breaks([writer(name, store=seeded_bugs.Overwriting) for name in "ab"])
    assert report.violation == "commits/shard-000000.json has changed"


def test_bug_data_is_read_by_listing():
    by_listing = Actor("reader", "reader", seeded_bugs.read_by_listing)
    assert breaks([writer("a"), by_listing]).violation == "reader has read what no commit names"
    after = Actor("reader", "reader", lambda storage: seeded_bugs.read_by_listing(storage) * 2)
    assert breaks([writer("a"), after]).violation == "reader has read a shard twice"


# What gc needs.


@ENFORCING
def test_a_writer_suspended_beyond_the_age_guard_that_resumes_during_gc_can_lose_its_data(enforcing):
    """The assumption is needed on both kinds of store; that is why the guard is hours, and commits take seconds."""
    report = breaks([writer("a"), collector()], enforcing=enforcing, strict=False, timing="any")
    assert "gc: delete samples/shard-000000-a" in report.trace[-1]
    woken = [step.split(": ")[0].strip().split(" ")[-1] for step in report.trace]
    assert woken[-2:] == ["a", "gc"]


def collect_beside_commits(storage):
    """Remove what is left of shards that have a commit, of any age."""
    named: set[str] = set()
    with patch.object(garbage, "committed_paths", lambda storage: named | _noted(storage, named)):
        found = find_garbage(storage, 0.0)
    committed = {path.rpartition("-")[0] for path in named}
    for item in found.garbage:
        if item.path.rpartition("-")[0] in committed:
            storage.delete(item.path)


def _noted(storage, named):
    named |= committed_paths(storage)
    return named


def test_what_is_left_beside_a_commit_may_go_at_any_time_where_the_store_enforces_create_if_absent():
    """There the assumption is about shards without a commit alone: no later create of theirs can name the file."""
    actors = [writer("a"), writer("b"), collector(collect=collect_beside_commits)]
    holds(actors, enforcing=True, timing="any", loud=True)
    report = breaks(actors, enforcing=False, timing="any")
    assert report.violation.endswith("which is not there")


# The search itself.


def reached(actors, event, *, enforcing=True, **options):
    """Return whether the search reaches a change of the store."""
    wanted = Invariants(change=lambda old, new: "reached" if event(old.files(), new.files()) else None)
    return Search(actors, wanted, enforcing=enforcing, **options).run().violation == "reached"


def test_the_search_reaches_collections_and_overwritten_commits():
    commit, two = "commits/shard-000000.json", [writer("a"), writer("b")]

    def collected(old, new):
        return any(path.startswith("samples/") and path not in new for path in old)

    def overwritten(old, new):
        return commit in old and old[commit] != new[commit]

    assert reached([writer("a"), collector()], collected)
    assert not reached([writer("a")], collected)
    assert reached(two, overwritten, enforcing=False)
    assert not reached(two, overwritten)


def test_real_code_is_under_test():
    """No re-implementation: the actor is `ShardStore.commit` on `Storage`, down to single requests."""
    seen = []

    class Watched(ShardStore):
        def commit(self, *args, **options):
            seen.append(type(self.storage).__module__)
            return super().commit(*args, **options)

    holds([writer("a", store=Watched)], enforcing=True)
    assert set(seen) == {"synfiqa.cluster.storage.storage"}


# Larger.


@LARGE
@ENFORCING
@pytest.mark.parametrize("faults", [(LATE, LOST), (LATE, LATE)], ids="+".join)
@pytest.mark.timeout(1800)
def test_large_two_writers_a_reader_gc_and_two_faults(enforcing, faults):
    holds([writer("a"), writer("b"), reader(), collector()], enforcing=enforcing, faults=faults)


@LARGE
@ENFORCING
def test_large_lost_and_late_and_short_with_a_slow_reader(enforcing):
    actors = [writer("a"), writer("b"), reader()]
    holds(actors, enforcing=enforcing, timing="any", faults=(CUT, LATE, LOST), loud=True)


@LARGE
@ENFORCING
@pytest.mark.timeout(1800)
def test_large_three_writers_gc_and_a_late_request(enforcing):
    holds([writer("a"), writer("b"), writer("c"), collector()], enforcing=enforcing, faults=(LATE,))
