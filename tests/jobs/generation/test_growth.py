"""A run grows: identities are appended, what it holds stays, and the dataset is that of a run which was larger at once.

Models and Ray are taken out.
"""

import pytest

from synfiqa.actors.model_store.resolved_run import VerifiedWeights
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import RecipeChanged, load_run, recorded_config
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.garbage import collect_garbage
from synfiqa.cluster.upkeep.status import read_status
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.jobs.generation import dataset as generate
from synfiqa.jobs.generation import readiness as check
from synfiqa.jobs.generation import sample_half
from synfiqa.schemas.errors import JobFailed, RunHeld
from synfiqa.schemas.manifest import Dead
from tests.chaos.driver import MODELS, Order, config_of
from tests.chaos.oracle import plain_loop, without_ray
from tests.chaos.stub_stages import Trouble, stub_stages

MOVING = ("lease/", "dataset.json", "attempts/")


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setattr(check, "verify_weights", lambda run: VerifiedWeights({}, MODELS))
    with without_ray():
        yield


def run(folder, identities, trouble=None, *, replay=False, new_generation=False, **settings):
    tree = {"placement": {"device": "cpu"}, **settings}
    tree["generate"] = {"identities": identities, "identities_per_shard": 4, **tree.get("generate", {})}
    config = config_of(Order(str(folder), tree))
    stages = stub_stages(trouble or Trouble())
    storage = current(config.run.url)
    return generate.run_generate(config, storage, replay=replay, new_generation=new_generation, stages=stages)


def files(folder):
    storage = Storage(str(folder))
    return {path: storage.read(path) for path in storage.list() if not path.startswith(MOVING)}


def contents(folder):
    """Return what every revision of every unit and shard holds."""
    storage = Storage(str(folder))
    store = ShardStore(storage, load_run(storage).fingerprint)
    commits = [*store.revisions("identities"), *store.revisions("samples")]
    return {(commit.kind, commit.number, commit.revision): commit.content_sha256 for commit in commits}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, without_ray():
        patch.setattr(check, "verify_weights", lambda run: VerifiedWeights({}, MODELS))
        return run(tmp_path_factory.mktemp("at-once") / "run", 24)


@pytest.mark.parametrize(
    ("steps", "file_format"),
    [((9, 24), "webdataset"), ((8, 24), "parquet"), ((5, 6, 13, 24), "parquet"), ((1, 2, 3, 24), "parquet")],
    ids=str,
)
def test_a_grown_run_is_the_run_that_was_larger_at_once_and_keeps_every_old_byte(tmp_path, steps, file_format, at_once):
    before = {}
    for step in steps:
        summary = run(tmp_path / "run", step, storage={"format": file_format})
        assert (summary.accepted, summary.samples) == (step, 8 * step)
        after = files(tmp_path / "run")
        assert before.items() <= after.items(), "nothing is changed or removed"
        before = after
        found = verify_run(Storage(str(tmp_path / "run")))
        assert (found.problems, found.notes, found.summary.digest) == ([], [], summary.digest)
    assert summary == at_once
    assert run(tmp_path / "run", 24, storage={"format": file_format}) == summary, "asked again, there is nothing to do"
    assert files(tmp_path / "run") == before


def test_surplus_candidates_are_decided_in_the_next_revision_of_their_unit(tmp_path):
    """They passed the filter after enough identities; a larger run would have compared them."""
    small = run(tmp_path / "run", 9)
    assert small.rejected["surplus"] > 0
    run(tmp_path / "run", 24)
    storage = Storage(str(tmp_path / "run"))
    store = ShardStore(storage, load_run(storage).fingerprint)
    first, second = [commit for commit in store.revisions("identities") if commit.number == 2]
    assert (first.revision, second.revision) == (0, 1)
    assert first.counts["rejected:surplus"]
    assert "rejected:surplus" not in second.counts
    old, new = store.read(first).to_pylist(), store.read(second).to_pylist()
    decided = [row for row in old if row["reason"] != "surplus"]
    assert [row for row in new if row["candidate"] in {row["candidate"] for row in decided}] == decided


def test_the_growth_is_recorded_and_the_fingerprint_stays(tmp_path):
    run(tmp_path / "run", 9)
    storage = Storage(str(tmp_path / "run"))
    small = load_run(storage)
    assert (small.identities, small.growth) == (9, ())
    run(tmp_path / "run", 13)
    run(tmp_path / "run", 24)
    grown = load_run(storage)
    assert grown.fingerprint == small.fingerprint
    assert [(growth.before, growth.identities) for growth in grown.growth] == [(9, 13), (13, 24)]
    assert all(" pid " in growth.by and growth.grown for growth in grown.growth)
    assert (grown.identities, grown.steps) == (24, (9, 13, 24))
    assert recorded_config(grown)["generate"]["identities"] == 24
    status = read_status(storage)
    assert (status.state, status.candidates.wanted, status.samples.planned) == ("finished", 24, 192)


def test_a_run_never_shrinks_and_nothing_else_may_change(tmp_path):
    run(tmp_path / "run", 9)
    run(tmp_path / "run", 13)
    before = files(tmp_path / "run")
    with pytest.raises(RecipeChanged, match=r"has 13 identities and never shrinks to 9; set generate.identities=13"):
        run(tmp_path / "run", 9)
    with pytest.raises(RecipeChanged, match=r"\(generate.degraded: 5 -> 6; generate.identities: 13 -> 24\)"):
        run(tmp_path / "run", 24, generate={"degraded": 6})
    with pytest.raises(RecipeChanged, match=r"\(generate.degraded: 5 -> 6\)"):
        run(tmp_path / "run", 13, generate={"degraded": 6})
    assert files(tmp_path / "run") == before


def test_a_new_generation_is_still_one_when_asked_for(tmp_path):
    run(tmp_path / "run", 9)
    run(tmp_path / "run", 13, new_generation=True)
    assert current(str(tmp_path / "run")).url.endswith("generation-000002")
    assert load_run(Storage(str(tmp_path / "run"))).growth == ()


def test_a_run_that_another_driver_holds_does_not_grow(tmp_path):
    run(tmp_path / "run", 9)
    storage = Storage(str(tmp_path / "run"))
    with hold(storage, 30, job="label"), pytest.raises(RunHeld, match="held by label"):
        run(tmp_path / "run", 24)
    assert load_run(storage).growth == ()


class Killed(BaseException):
    """The end of a driver: nothing runs after it."""


def kill_at(monkeypatch, create, number):
    """End the driver just before its `number`-th commit or growth record, or just after it when negative."""
    made = []

    def dying(self, path, data):
        counts = path.startswith(("commits/", "growth/"))
        made.append(path) if counts else None
        if counts and len(made) == number:
            raise Killed
        done = create(self, path, data)
        if counts and len(made) == -number:
            raise Killed
        return done

    monkeypatch.setattr(Storage, "create", dying)


def test_a_driver_that_is_killed_anywhere_leaves_what_the_same_command_finishes(tmp_path, monkeypatch, at_once):
    """Every revision of every unit has the same content as in an undisturbed growth, wherever it was interrupted."""
    create = Storage.create
    run(tmp_path / "whole", 9)
    small = len(contents(tmp_path / "whole"))
    run(tmp_path / "whole", 24)
    whole = contents(tmp_path / "whole")
    commits = 1 + len(whole) - small
    for number in (1, 2, 3, commits - 3, commits, -1, -2, 2 - commits):
        folder = tmp_path / f"run{number}"
        run(folder, 9)
        kill_at(monkeypatch, create, number)
        with pytest.raises(Killed):
            run(folder, 24)
        monkeypatch.setattr(Storage, "create", create)
        assert verify_run(Storage(str(folder))).problems == []
        assert run(folder, 24) == at_once
        assert contents(folder) == whole


def test_an_unfinished_run_is_finished_as_it_was_wanted_before_it_grows(tmp_path, monkeypatch, at_once):
    """A driver of the smaller run that wakes up later commits nothing that the larger run has not."""
    create = Storage.create
    run(tmp_path / "whole", 9)
    run(tmp_path / "whole", 24)
    for number in (1, 3, 4, 6):
        folder = tmp_path / f"run{number}"
        kill_at(monkeypatch, create, number)
        with pytest.raises(Killed):
            run(folder, 9)
        monkeypatch.setattr(Storage, "create", create)
        assert run(folder, 24) == at_once
        assert contents(folder) == contents(tmp_path / "whole")
        assert verify_run(Storage(str(folder))).problems == []


def test_an_unfinished_growth_is_no_damage_and_counts_as_unfinished(tmp_path, monkeypatch):
    create = Storage.create
    run(tmp_path / "run", 9)
    kill_at(monkeypatch, create, -1)
    with pytest.raises(Killed):
        run(tmp_path / "run", 24)
    monkeypatch.setattr(Storage, "create", create)
    storage = Storage(str(tmp_path / "run"))
    found = verify_run(storage)
    assert found.problems == []
    (note,) = found.notes
    assert note.startswith("unfinished: 4 of 6 shards are not committed yet")
    status = read_status(storage)
    assert (status.state, status.shards.done, status.shards.planned) == ("unfinished", 3, 6)
    with pytest.raises(RecipeChanged, match="never shrinks to 9"):
        run(tmp_path / "run", 9)


def test_dead_rows_of_before_are_replayed_after_the_growth_and_the_digest_is_that_of_no_trouble(tmp_path, at_once):
    poison = ("000008/2", "000003/Ref-1", "000010/1")
    dead = run(tmp_path / "run", 9, Trouble(rows=poison))
    assert dead.samples_dead == 2
    grown = run(tmp_path / "run", 24, Trouble(rows=poison))
    assert (grown.samples, grown.samples_dead) == (189, 3)
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []
    assert run(tmp_path / "run", 24, replay=True) == at_once
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_a_replay_that_grows_the_run_makes_both(tmp_path, at_once):
    run(tmp_path / "run", 9, Trouble(rows=("000008/2",)))
    assert run(tmp_path / "run", 24, replay=True) == at_once


def test_a_replayed_candidate_that_was_surplus_is_decided_after_all_others_of_before(tmp_path):
    """The ledger is not that of one larger run then, as with every replay: the candidate comes later in it."""
    small = run(tmp_path / "run", 9, Trouble(rows=("candidate-4",)), resilience={"max_dead_rate": 0.5})
    whole = run(tmp_path / "run", 9, replay=True)
    assert whole.rejected["surplus"] > small.rejected.get("surplus", 0)
    grown = run(tmp_path / "run", 24)
    assert (grown.accepted, grown.dead, grown.rejected.get("surplus", 0) < whole.rejected["surplus"]) == (24, 0, True)
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_an_addition_that_fails_as_a_whole_is_dead_and_the_old_samples_stay(tmp_path, monkeypatch, at_once):
    run(tmp_path / "run", 9)

    def failing(stages, units, storage, placement, resilience, *, ordered=False, claim=None):
        for unit in units:
            if unit.plan.get("revision"):
                yield Dead(kind="samples", number=unit.number, stage="annotator", error="gone", attempts=3)
            else:
                yield from plain_loop(stages, [unit], storage, placement, resilience)

    with monkeypatch.context() as patch:
        patch.setattr(sample_half, "stream", failing)
        grown = run(tmp_path / "run", 24, resilience={"max_dead_rate": 0.5})
    assert (grown.samples, grown.samples_dead) == (24 * 8 - 3 * 8, 3 * 8)
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []
    assert run(tmp_path / "run", 24, replay=True) == at_once


def test_a_run_that_had_used_up_its_candidates_goes_on_with_those_of_more_identities(tmp_path):
    """The unit that the limit cut stays short, so that the dataset may differ from that of one larger run."""
    with pytest.raises(JobFailed, match="of 1 identities were accepted out of 20"):
        run(tmp_path / "run", 1, Trouble(poison=1.0), resilience={"max_dead_rate": 1})
    grown = run(tmp_path / "run", 9, resilience={"max_dead_rate": 1})
    assert grown.accepted == 9
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_garbage_collection_keeps_what_older_revisions_name(tmp_path, at_once):
    run(tmp_path / "run", 9)
    run(tmp_path / "run", 24)
    before = files(tmp_path / "run")
    collect_garbage(Storage(str(tmp_path / "run")), 0.0)
    assert files(tmp_path / "run") == before
