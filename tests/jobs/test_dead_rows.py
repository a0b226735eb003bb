"""Generate jobs with the models and Ray taken out: dead rows that add up, replays, generations, ownership."""

import json

import pytest

from cluster.errors import RunHeld, TooManyDead, UserError
from cluster.generations import current
from cluster.integrity import verify_run
from cluster.lease import hold
from cluster.run_folder import load_run
from cluster.shard_store import ShardStore
from cluster.storage import Storage
from jobs import generate
from schemas.rows import sample_id
from tests.chaos.driver import MODELS, Order, config_of
from tests.chaos.oracle import expected, without_ray
from tests.chaos.stub_stages import Trouble, stub_stages


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setattr(generate, "model_digests", lambda config: MODELS)
    with without_ray():
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same stages in a plain loop without Ray."""
    return expected(0.0, str(tmp_path_factory.mktemp("oracle")))


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
