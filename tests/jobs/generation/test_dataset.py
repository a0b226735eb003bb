"""Planning of a generate job: which candidates come next, and which identities each shard holds."""

from functools import partial

import pyarrow as pa
import pytest

from synfiqa.actors.stages.identity_registry import IdentityRegistry
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.layout.device_choice import choose_device
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation import dataset
from synfiqa.jobs.generation.acceptance import FaceSpace
from synfiqa.jobs.generation.dataset import run_generate
from synfiqa.jobs.generation.identity_half import ledger_counts, next_units
from synfiqa.jobs.generation.sample_half import plan_shards
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.rows import CANDIDATES
from tests.actors.generation.conditional.test_diffusion_backend import written
from tests.actors.generation.diffusion_chain_config import DIFFUSION
from tests.actors.generation.diffusion_chain_config import config as chain_config


def config(**generate):
    return RunConfig.model_validate({"generate": generate})


def ledger_unit(number: int, accepted: int, rejected: int) -> pa.Table:
    rows = [{"candidate": i, "unit": number, "status": "accepted", "reason": ""} for i in range(accepted)]
    rows += [{"candidate": i, "unit": number, "status": "rejected", "reason": "yaw"} for i in range(rejected)]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def at_candidate(number: int) -> IdentityRegistry:
    registry = IdentityRegistry(100, 0.5)
    registry.next_candidate = number
    return registry


def store_with(tmp_path, accepted_per_unit: list[int]) -> ShardStore:
    store = ShardStore(Storage(str(tmp_path)), "f" * 64)
    for number, accepted in enumerate(accepted_per_unit):
        unit = ledger_unit(number, accepted, 1)
        store.commit("identities", number, unit, ledger_counts(unit, replayed=0))
    return store


def test_units_are_consecutive_and_cut_at_the_candidate_limit():
    cfg = config(identities=100, candidates_per_unit=8, max_candidates=20)
    units = list(next_units(cfg, 0, IdentityRegistry(100, 0.5), FaceSpace()))
    assert [(unit.plan["first"], unit.plan["count"]) for unit in units] == [(0, 8), (8, 8), (16, 4)]
    assert [unit.number for unit in next_units(cfg, 7, at_candidate(18), FaceSpace())] == [7]
    assert list(next_units(cfg, 3, at_candidate(20), FaceSpace())) == []


def test_the_plan_follows_the_marginal_share():
    """Planning with the average share of a run needed a start of all workers for each of its last tenths."""
    cfg = config(identities=1000, candidates_per_unit=10, max_candidates=100_000)
    registry = IdentityRegistry(1000, 0.5)
    registry.accepted, registry.next_candidate = 900, 2000
    average, marginal = FaceSpace(passes=0.45), FaceSpace(passes=0.7, too_similar=5e-3)
    assert len(list(next_units(cfg, 10, registry, marginal))) > 2 * len(list(next_units(cfg, 10, registry, average)))


def test_every_identity_is_in_exactly_one_shard_and_its_ledger_units_are_named(tmp_path):
    store = store_with(tmp_path, [3, 0, 1, 4, 2])
    shards = list(plan_shards(config(identities=10, identities_per_shard=4), store.committed("identities").values(), 3))
    assert [(s.plan["first"], s.plan["last"], s.plan["units"]) for s in shards] == [
        (0, 3, [0, 2]),
        (4, 7, [3]),
        (8, 9, [4]),
    ]


def test_a_ledger_unit_across_two_shards_is_read_by_both(tmp_path):
    ledger = store_with(tmp_path, [2, 4]).committed("identities").values()
    shards = list(plan_shards(config(identities=6, identities_per_shard=3), ledger, 2))
    assert [s.plan["units"] for s in shards] == [[0, 1], [1]]


@pytest.mark.parametrize(
    ("field", "name"), [("evaluation_embedder", "typo"), ("embedder", "bundled-clip"), ("image_text", "bundled-a")]
)
def test_a_wrong_model_is_refused_before_anything_is_written(tmp_path, field, name):
    """A misspelt evaluation embedder used to show only after the whole dataset was made."""
    wrong = RunConfig.model_validate({"models": {field: name}})
    with pytest.raises(UserError, match=name):
        run_generate(wrong, Storage(str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("trouble", ["prompt", "bank"])
def test_what_the_check_refuses_a_run_refuses_before_anything_is_written(tmp_path, trouble):
    """A prompt that was too long, or a small template bank, used to show only after all identities were made."""
    long = DIFFUSION | {"arguments": DIFFUSION["arguments"] | {"prompts": {"suffixes": ["in the rain " * 30]}}}
    wrong, said = {
        "prompt": ({"entries": {"own": long}, "conditional_diffusion": "own"}, "a prompt may have 77 tokens"),
        "bank": ({"diffusion": {"templates": written(tmp_path)}, "generate": {"degraded": 900}}, "make a larger bank"),
    }[trouble]
    with pytest.raises(UserError, match=said):
        run_generate(chain_config(tmp_path, **wrong), Storage(str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_a_gpu_that_is_demanded_and_not_there_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "choose_device", partial(choose_device, look=lambda: [Node(8, 0)]))
    demanding = RunConfig.model_validate({"placement": {"device": "cuda"}})
    with pytest.raises(UserError, match="is cuda but the cluster has no GPU"):
        run_generate(demanding, Storage(str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_a_memory_run_is_refused_because_workers_cannot_see_it():
    with pytest.raises(UserError, match="memory://"):
        run_generate(RunConfig(), Storage("memory://nowhere"))


def test_another_evaluation_embedder_is_not_another_dataset():
    one, other = RunConfig(), RunConfig.model_validate({"models": {"evaluation_embedder": "bundled-a"}})
    assert one.recipe_sections() == other.recipe_sections()


def test_the_counts_of_a_ledger_unit_add_up_by_outcome_and_reason():
    outcomes = [("accepted", ""), ("rejected", "yaw"), ("rejected", "yaw"), ("rejected", "glasses"), ("dead", "")]
    rows = [{"candidate": i, "unit": 0, "status": s, "reason": r} for i, (s, r) in enumerate(outcomes)]
    counts = ledger_counts(pa.Table.from_pylist(rows, schema=CANDIDATES), replayed=0)
    assert counts == {
        "planned": 5,
        "accepted": 1,
        "rejected": 3,
        "dead": 1,
        "replayed": 0,
        "rejected:glasses": 1,
        "rejected:yaw": 2,
    }
