"""Generate jobs with the models and Ray taken out: dead rows that add up, replays, generations, ownership."""

import json

import pytest

from synfiqa.actors.model_store.resolved_run import VerifiedWeights
from synfiqa.actors.stages.candidate_table import candidate_table, dead_candidate
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.jobs.generation import dataset as generate
from synfiqa.jobs.generation import readiness as check
from synfiqa.jobs.generation.identity_half import ledger_counts
from synfiqa.schemas.errors import JobFailed, RunHeld, TooManyDead, UserError
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import sample_id
from tests.chaos.driver import MODELS, Order, config_of
from tests.chaos.oracle import expected, without_ray
from tests.chaos.stub_stages import Trouble, stub_stages


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setattr(check, "verify_weights", lambda run: VerifiedWeights({}, MODELS))
    with without_ray():
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same stages in a plain loop without Ray."""
    return expected(0.0, str(tmp_path_factory.mktemp("oracle")), 24)


def run(folder, trouble=None, *, replay=False, new_generation=False, **settings):
    config = config_of(Order(str(folder), {"placement": {"device": "cpu"}, **settings}))
    stages = stub_stages(trouble or Trouble())
    storage = current(config.run.url)
    return generate.run_generate(config, storage, replay=replay, new_generation=new_generation, stages=stages)


def dead_items(folder):
    storage = current(str(folder))
    store = ShardStore(storage, load_run(storage).fingerprint)
    commits = [*store.committed("identities").values(), *store.committed("samples").values()]
    return {row.item: row for commit in commits for row in store.dead_rows(commit)}


def test_poison_costs_its_rows_and_a_replay_after_the_fix_makes_the_undisturbed_dataset(tmp_path, undisturbed):
    poison = ("000003/Ref-1", "000003/2", "000017/4", "annotate-000020/0")
    summary = run(tmp_path / "run", Trouble(rows=poison))
    assert (summary.samples, summary.samples_dead) == (188, 4)
    dead = dead_items(tmp_path / "run")
    assert dead.keys() == {"000003/Ref-1", "000003/2", "000017/4", "000020/0"}
    assert dead["000003/2"].stage == "conditional_generator"
    assert dead["000020/0"].stage == "annotator"
    assert "row 000017/4 is poison" in dead["000017/4"].error
    assert json.loads(dead["000017/4"].spec)["kind"] == "degraded", "the recipe is kept for whoever looks into it"
    assert dead["000017/4"].node

    again = run(tmp_path / "run", Trouble(rows=poison))
    assert again == summary, "a finished run is left alone, dead rows too"
    partly = run(tmp_path / "run", Trouble(rows=("000017/4",)), replay=True)
    assert (partly.samples, partly.samples_dead) == (191, 1)
    whole = run(tmp_path / "run", replay=True)
    assert whole == undisturbed
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_a_dead_candidate_is_in_the_ledger_and_a_replay_decides_it_last(tmp_path, undisturbed):
    trouble = Trouble(rows=("candidate-4",))
    summary = run(tmp_path / "run", trouble, resilience={"max_dead_rate": 0.5})
    assert summary.planned == summary.accepted + sum(summary.rejected.values()) + summary.dead
    assert (summary.accepted, summary.dead) == (24, 1)
    whole = run(tmp_path / "run", replay=True)
    assert (whole.planned, whole.accepted, whole.dead) == (summary.planned, 24, 0)
    assert whole.planned == whole.accepted + sum(whole.rejected.values())
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_a_run_stopped_by_its_dead_candidates_is_cured_by_a_replay(tmp_path):
    """The replay used to begin by going on with the run, which stopped at once: the dead rows were still there."""
    rows = tuple(f"candidate-{number}" for number in range(0, 12, 2))
    with pytest.raises(TooManyDead, match="candidates are dead"):
        run(tmp_path / "run", Trouble(rows=rows), resilience={"max_dead_rate": 0.02})
    whole = run(tmp_path / "run", replay=True, resilience={"max_dead_rate": 0.02})
    assert (whole.accepted, whole.dead) == (24, 0)
    assert whole.planned == whole.accepted + sum(whole.rejected.values())
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_a_ledger_unit_that_another_driver_decided_with_other_dead_rows_ends_this_one(tmp_path, monkeypatch):
    """This driver used to go on from its own decision and numbered identities by a ledger that did not exist."""
    upload, overtook = ShardStore.upload, []

    def overtaken(self, kind, number, table, *rest, **options):
        if (kind, number) == ("identities", 1) and not overtook:
            overtook.append(number)
            rows = [dead_candidate(1, row["candidate"], row["seed"], "x") for row in table.to_pylist()]
            other = candidate_table(rows)
            gone = [DeadRow(item=str(n), stage="x", error="x", attempts=2) for n in table["candidate"].to_pylist()]
            self.commit(kind, number, other, ledger_counts(other, replayed=0), dead=gone)
        return upload(self, kind, number, table, *rest, **options)

    monkeypatch.setattr(ShardStore, "upload", overtaken)
    with pytest.raises(JobFailed, match="another driver has decided ledger unit 1"):
        run(tmp_path / "run", resilience={"max_dead_rate": 1})
    assert run(tmp_path / "run", resilience={"max_dead_rate": 1}).accepted == 24
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_a_shard_whose_every_row_is_dead_is_replayed_and_the_progress_ends_at_the_plan(tmp_path, undisturbed, capsys):
    rows = tuple(sample_id(identity, "reference", index) for identity in (2, 3) for index in range(3))
    summary = run(tmp_path / "run", Trouble(rows=rows), storage={"format": "webdataset"})
    assert summary.samples_dead == 16
    capsys.readouterr()
    assert run(tmp_path / "run", replay=True, storage={"format": "webdataset"}) == undisturbed
    assert "phase=samples done=192 planned=192" in capsys.readouterr().err
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []


def test_too_many_dead_rows_stop_the_run_with_the_reason_and_what_is_made_stays(tmp_path):
    rows = tuple(sample_id(identity, "degraded", 1) for identity in range(24))
    with pytest.raises(TooManyDead, match=r"of \d+ samples are dead \(.*poison.*replay"):
        run(tmp_path / "run", Trouble(rows=rows), resilience={"max_dead_rate": 0.02})
    store = ShardStore(Storage(str(tmp_path / "run")), load_run(Storage(str(tmp_path / "run"))).fingerprint)
    assert 0 < len(store.committed("samples")) < 12, "it stopped before the end, and kept what it had"
    whole = run(tmp_path / "run", replay=True)
    assert whole.samples_dead == whole.dead == 0


def test_another_recipe_is_a_generation_of_its_own_when_asked_for(tmp_path):
    first = run(tmp_path / "run")
    with pytest.raises(UserError, match=r"generate.degraded: 5 -> 6.*--new-generation"):
        run(tmp_path / "run", generate={"degraded": 6})
    second = run(tmp_path / "run", new_generation=True, generate={"degraded": 6})
    assert second.samples == 24 * 9
    assert current(str(tmp_path / "run")).url.endswith("generation-000002")
    assert verify_run(Storage(str(tmp_path / "run"))).summary == first, "the first generation is untouched"
    assert run(tmp_path / "run", new_generation=True, generate={"degraded": 6}) == second, "asked again, it goes on"


def test_a_second_driver_is_told_who_has_the_run(tmp_path):
    run(tmp_path / "run")
    with (
        hold(Storage(str(tmp_path / "run")), 30, job="replay"),
        pytest.raises(RunHeld, match=r"held by replay on .*pid"),
    ):
        run(tmp_path / "run")
