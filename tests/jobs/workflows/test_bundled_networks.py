"""`synfiqa bootstrap`: the run behind the bundled quality model, and what its card says."""

import shutil

import pytest
import torch
import yaml

from synfiqa.actors.model_store.catalogue import BUNDLED, read_bundled
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.actors.model_store.selection import run_models
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.cluster.run.manifest import RecipeChanged
from synfiqa.fiqa_train.bundled.publish import publish_quality
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.jobs.cli import main
from synfiqa.jobs.workflows import bundled_networks as bootstrap
from synfiqa.jobs.workflows.bundled_networks import FIELDS, figures, quality_run, run_bootstrap
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import NetworkComparison
from tests.schemas import results


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_run_is_labelled_and_judged_by_the_networks_of_the_given_folder(here):
    config = quality_run(BUNDLED, seed=3)
    chosen = run_models(config.models)
    cards = {name: yaml.safe_load((BUNDLED / f"{name}.yaml").read_text()) for name in FIELDS}
    assert chosen.embedder.card.sha256 == cards["bundled-a"]["sha256"]
    assert chosen.image_text.card.sha256 == cards["bundled-clip"]["sha256"]
    assert config.models.evaluation_embedder == "fresh-b"
    assert config.run.seed == 3


def test_other_networks_or_another_seed_make_another_run(here, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in FIELDS:
        (other / f"{name}.safetensors").write_bytes(b"other weights")
        card = yaml.safe_load((BUNDLED / f"{name}.yaml").read_text())
        (other / f"{name}.yaml").write_text(yaml.safe_dump({**card, "sha256": "0" * 64}))
    urls = [quality_run(*pair).run.url for pair in ((BUNDLED, 0), (BUNDLED, 1), (other, 0))]
    assert len(set(urls)) == 3
    assert quality_run(BUNDLED, 0).run.url == urls[0]


@pytest.mark.parametrize("lost", ["bundled-b.yaml", "bundled-clip.safetensors"])
def test_quality_alone_needs_the_networks_of_its_folder(here, lost):
    for name in FIELDS:
        for kind in ("yaml", "safetensors"):
            shutil.copy(BUNDLED / f"{name}.{kind}", here)
    (here / lost).unlink()
    with pytest.raises(UserError, match=f"{lost} is missing: .*--part networks"):
        run_bootstrap(here, 0, "quality")


def test_a_file_is_no_folder_to_write_to_and_that_is_told_before_anything_is_rendered(here):
    (here / "weights").write_text("")
    with pytest.raises(UserError, match="weights is a file: give --out"):
        run_bootstrap(here / "weights", 0, "all")


def test_a_run_begun_otherwise_is_to_be_removed_for_no_option_names_another(here, monkeypatch):
    def refuse(config):
        raise RecipeChanged("choose another folder with --run")

    monkeypatch.setattr(bootstrap, "run_all", refuse)
    with pytest.raises(UserError, match=r"^runs/bootstrap/quality-0-.* remove it and run the same again$"):
        run_bootstrap(None, 0, "quality")


@pytest.mark.parametrize("part", ["all", "quality"])
def test_the_recogniser_that_labels_must_be_installed_and_that_is_said_first(here, monkeypatch, part):
    """Else `all` would train for half an hour before it names the extra."""

    def missing(card):
        raise UserError(f"{card.name} needs the extra [dlib]")

    monkeypatch.setattr(bootstrap, "require_extra", missing)
    for work in ("train_networks", "run_all"):
        monkeypatch.setattr(bootstrap, work, lambda *_: pytest.fail("it began"))
    with pytest.raises(UserError, match=r"dlib needs the extra \[dlib\]"):
        run_bootstrap(None, 0, part)


def test_settings_can_be_changed_for_a_smaller_run_but_not_misspelt(here):
    assert quality_run(BUNDLED, 0, ["generate.identities=16"]).generate.identities == 16
    with pytest.raises(UserError, match="identitys"):
        quality_run(BUNDLED, 0, ["generate.identitys=16"])


def test_the_card_quotes_the_independent_network_alone():
    def result(embedder: str, independent: bool, pauc: float) -> NetworkComparison:
        methods = {name: results.method(pauc) for name in ("model", "label", "sharpness", "random")}
        return results.by_network(embedder, independent, results.comparison("iso", 0.01, methods))

    found = [result("b", True, 0.6), result("a", False, 0.5)]
    assert figures(results.evaluation(found, {"model": 0.91, "random": 0.0}, identities=45)) == {
        "spearman": 0.91,
        "identities": 45.0,
        "model_pauc_iso_fmr_0.01": 0.6,
        "label_pauc_iso_fmr_0.01": 0.6,
        "sharpness_pauc_iso_fmr_0.01": 0.6,
    }


def test_a_model_in_half_precision_is_one_file_that_scores_alike(model, tmp_path):
    whole = load_quality_model(model)
    target = tmp_path / "half" / "bundled-quality.safetensors"
    card = publish_quality(whole, {"spearman": 0.9}, target)
    half = load_quality_model(str(target))
    faces = torch.randint(0, 256, (3, 112, 112, 3), generator=torch.Generator().manual_seed(0)).numpy().astype("uint8")
    assert isinstance(half, QualityModel)
    assert half.score(faces) == pytest.approx(whole.score(faces), abs=2e-3)
    assert half.card == card
    finding = check_model(read_bundled(target.with_suffix(".yaml")))
    assert (finding.problems, finding.notes) == ([], [])
    assert card.metrics == {"spearman": 0.9}
    assert yaml.safe_load(target.with_suffix(".yaml").read_text())["sha256"] == card.sha256


def test_a_student_needs_the_cluster_only_where_its_run_is_generated(here, monkeypatch, capsys):
    """`--part student` loaded all libraries, then failed on a cluster that was not there; others say so at once."""
    monkeypatch.setenv("RAY_ADDRESS", "no-such-host.invalid:6379")
    for arguments, said in (([], "no-such-host.invalid"), (["--run", "nowhere"], "nowhere is no run folder")):
        with pytest.raises(SystemExit) as stopped:
            main(["bootstrap", "--part", "student", "--teacher", "bundled-b", *arguments])
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err
