import numpy as np
import pytest
import torch

from synfiqa.actors.face3d.shape.expression import UNITS
from synfiqa.actors.generation.conditional.diffusion_backend import DiffusionBackend
from synfiqa.actors.generation.conditional.parametric_bank import template_of
from synfiqa.actors.generation.conditional.template_bank import TemplateBank, conditions_of
from synfiqa.actors.generation.face_model.camera import rotations
from synfiqa.actors.generation.face_model.sh_light import unevenness
from synfiqa.actors.imaging.rotation import euler_angles
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.players import Players
from synfiqa.actors.stages.identity_filter import IdentityFilterStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.actors.stages.identity_registry import IdentityRegistry
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.cli import main
from synfiqa.jobs.config import load_config
from synfiqa.jobs.generation.identity_half import ledger_counts
from synfiqa.jobs.workflows.template_banks import run_templates
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.recipe import Expression, Light, Pose, Recipe
from synfiqa.schemas.rows import CANDIDATES
from tests.actors.generation.diffusion_chain_config import config


def angles(templates):
    head = conditions_of(templates).pose[:, :3].double()
    return euler_angles(rotations(head).numpy())


def paper(seed=0, references=10, **changes):
    """The config of the paper, whose face model is FLAME; a drawn bank needs none of its models."""
    tree = load_config("configs/paper.yaml").model_dump()
    tree["run"]["seed"] = seed
    tree["generate"]["references"] = references
    tree["generate"]["degraded_distribution"] |= changes
    return RunConfig.model_validate(tree)


def test_a_bank_is_the_same_for_equal_arguments_and_grows_at_its_end(tmp_path):
    for name, seed, degraded in (("a", 1, 20), ("b", 1, 20), ("more", 1, 40), ("other", 2, 20)):
        run_templates(paper(seed), tmp_path / name, degraded=degraded)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    first, more, other = (TemplateBank.load(tmp_path / name) for name in ("a", "more", "other"))
    for index in range(20):
        np.testing.assert_array_equal(first.degradations[index].light, more.degradations[index].light)
    assert not np.array_equal(first.degradations[0].light, other.degradations[0].light)


def test_references_are_frontal_neutral_and_evenly_lit_and_degraded_templates_are_not(tmp_path):
    bank = run_templates(paper(yaw_std=30), tmp_path / "bank.json", degraded=400)
    assert np.abs(angles(bank.references)).max() < 4.1
    turned = angles(bank.degradations)
    assert 24 < turned[:, 0].std() < 36
    assert abs(turned[:, 0].mean()) < 6
    reference, degraded = conditions_of(bank.references), conditions_of(bank.degradations)
    assert reference.expression.norm(dim=1).max() < 0.3
    assert degraded.expression.norm(dim=1).quantile(0.9) > 1.5
    assert unevenness(reference.light).mean() < 0.5 * unevenness(degraded.light).quantile(0.9)
    assert bank.expression_size == 50
    for shown in (reference, degraded):
        corners = torch.tensor([[0.0, 0, 1], [223, 223, 1]]) @ shown.tform
        assert corners[:, :, :2].amin() > -150
        assert corners[:, :, :2].amax() < 512 + 150


def test_angles_are_those_of_the_recipe(tmp_path):
    recipe = Recipe(kind="degraded", seed=4, pose=Pose(yaw=40, pitch=-15, roll=10))
    found = template_of(recipe, "t", "flame")
    np.testing.assert_allclose(angles([found])[0], [40, -15, 10], atol=1e-3)
    assert found.tags == {"yaw": 40, "pitch": -15, "roll": 10, "expression": 0}


def test_procedural_expressions_are_the_recipes_units_and_the_jaw():
    recipe = Recipe(kind="degraded", seed=4, expression=Expression(mouth_open=0.5, smile=0.25))
    found = template_of(recipe, "t", "procedural")
    assert dict(zip(UNITS, found.expression.tolist(), strict=True)) == {**dict.fromkeys(UNITS, 0), "smile": 0.25}
    assert found.pose[3] == pytest.approx(0.175)


def test_a_bank_needs_both_kinds(tmp_path):
    with pytest.raises(UserError, match="at least 1 degraded template, not 0"):
        run_templates(paper(), tmp_path / "bank.json", degraded=0)
    assert not (tmp_path / "bank.json").exists()


def test_rendered_samples_take_no_templates(tmp_path):
    with pytest.raises(UserError, match="procedural, which takes no templates"):
        run_templates(RunConfig(), tmp_path / "bank.json")


@pytest.fixture(scope="module")
def rejected(tmp_path_factory):
    """A run whose filter takes no face for neutral, in two ledger units; its candidates are rendered heads."""
    folder = tmp_path_factory.mktemp("rejected")
    run = config(folder, filter={"max_expression": 0.0}, generate={"portrait_size": 128, "candidates_per_unit": 6})
    storage = Storage(str(folder / "run"), 0)
    store = ShardStore(storage, open_run(storage, run, {}).fingerprint)
    registry = IdentityRegistry(run.generate.identities, run.filter.max_similarity)
    for unit in range(2):
        work = Work("identities", unit, CANDIDATES.empty_table(), plan={"candidates": range(6 * unit, 6 * unit + 6)})
        for stage in (IdentityGeneratorStage(resolve(run)), IdentityFilterStage(resolve(run))):
            stage.setup()
            work = stage.process(work)
        table = registry.decide(work.table)
        store.commit("identities", unit, table, ledger_counts(table, replayed=0), {})
    assert registry.accepted == 0
    return run, storage


def test_rejected_candidates_become_a_bank_that_a_run_takes(rejected, tmp_path):
    run, storage = rejected
    bank = run_templates(run, tmp_path / "bank.json", degraded=3, candidates=storage)
    assert len(bank.references) == run.generate.references
    assert len(bank.degradations) >= 3
    assert bank.expression_size == len(UNITS), "of procedural heads"
    tokens = {template.token for template in (*bank.references, *bank.degradations)}
    assert tokens <= {f"candidate-{number:07d}" for number in range(12)}
    named = run.model_copy(
        update={"diffusion": run.diffusion.model_copy(update={"templates": str(tmp_path / "bank.json")})}
    )
    recipes = DiffusionBackend(resolve(named), Players(resolve(named).models)).recipes(0)
    assert {recipe.template for recipe in recipes} <= tokens
    again = run_templates(run, tmp_path / "again.json", degraded=3, candidates=storage)
    assert again.source == bank.source
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "bank.json").read_bytes()


def test_a_small_bank_reads_no_more_of_the_ledger_than_it_needs(rejected, tmp_path, monkeypatch):
    run, storage = rejected
    read = []
    monkeypatch.setattr(
        ShardStore,
        "read",
        lambda store, commit, columns, real=ShardStore.read: (read.append(commit.number), real(store, commit, columns))[
            1
        ],
    )
    run_templates(run, tmp_path / "bank.json", degraded=1, candidates=storage)
    assert read == [0]


def test_a_run_without_rejected_candidates_is_told(rejected, tmp_path):
    run, _ = rejected
    storage = Storage(str(tmp_path / "run"), 0)
    open_run(storage, run, {})
    with pytest.raises(JobFailed, match="has no rejected candidate with a face"):
        run_templates(run, tmp_path / "bank.json", candidates=storage)


def test_the_command_writes_the_file(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["templates", "configs/paper-tiny.yaml", "--out", str(tmp_path / "bank.json"), "--degraded", "12"])
    assert ended.value.code == 0
    assert (
        "2 references and 12 degraded templates (distribution, seed 5, procedural expressions)"
        in capsys.readouterr().out
    )
    assert len(TemplateBank.load(tmp_path / "bank.json").degradations) == 12


def test_harsh_light_from_aside_is_uneven():
    aside, even = (
        template_of(Recipe(kind="degraded", seed=1, light=light), "t", "flame")
        for light in (Light(azimuth=90, harshness=1.0), Light())
    )
    lights = conditions_of([aside, even]).light
    assert unevenness(lights)[0] > 2 * unevenness(lights)[1]
