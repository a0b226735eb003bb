"""Seed, split and models of a training are those of its run, whatever config is given beside it."""

import pytest

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.run.manifest import load_run
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.training.snapshot import require_label, require_weights, under_snapshot
from synfiqa.fiqa_train.training.task import split_run, training_basis, training_task
from synfiqa.fiqa_train.training.train_run import run_train
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.small_photos import save

SIZES = {"train": {"test_fraction": 0.5}, "generate": {"identities": 16}}


def given(**sections):
    return RunConfig.model_validate(sections)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of seed 3, half of whose identities are held out."""
    config, storage = make_run(tmp_path_factory.mktemp("snapshot") / "run", **SIZES)
    return config, storage, load_run(storage)


def test_another_config_does_not_change_who_is_held_out(run):
    """`train CONFIG --run R` split R by CONFIG's seed and fractions: test identities of one model taught the next."""
    config, storage, manifest = run
    other = given(train={"epochs": 1, "width": 4, "initialise": "random"})
    ours, theirs = (split_run(own, range(16), (16,)) for own in (config, other))
    assert {own for own in ours if ours[own] == "test"} & {own for own in theirs if theirs[own] == "train"}

    kept = under_snapshot(other, manifest)
    assert split_run(kept, range(16), (16,)) == ours
    assert set(training_task(resolve(kept), storage).sources[0].identities) == {
        own for own in ours if ours[own] == "train"
    }
    assert kept.train.epochs == 1, "all else is the config's"
    assert under_snapshot(config, manifest) == config


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"run": {"seed": 0}}, r"run\.seed is 0 in the config but 3 in the run: .* leave run\.seed out"),
        ({"train": {"test_fraction": 0.25}}, r"train\.test_fraction is 0\.25 in the config but 0\.5 in the run"),
        ({"train": {"validation_fraction": 0.2}}, r"train\.validation_fraction is 0\.2 in the config but 0\.1"),
        ({"models": {"embedder": "bundled-b"}}, r"models\.embedder is bundled-b in the config but bundled-a"),
        ({"models": {"more_embedders": ["bundled-b"]}}, r"more_embedders is bundled-b in the config but empty in"),
    ],
)
def test_a_config_that_sets_them_otherwise_is_refused_with_both_values(run, sections, sentence):
    _, storage, _ = run
    with pytest.raises(UserError, match=sentence):
        run_train(given(**sections), storage)
    assert storage.list("models") == []


def test_what_changes_no_split_may_differ(run):
    _, _, manifest = run
    other = given(models={"evaluation_embedder": "bundled-a"}, train={"learning_rate": 0.5}, evaluate={"fmr": [0.1]})
    kept = under_snapshot(other, manifest)
    assert (kept.models.evaluation_embedder, kept.train.learning_rate) == ("bundled-a", 0.5)
    assert kept.evaluate == other.evaluate


def test_the_label_is_that_of_the_run_unless_another_pass_is_named(tmp_path):
    """A config without section `label` trained on the pass `default`, though the run had labelled as `own`."""
    _, storage = make_run(tmp_path / "run", label={"name": "own", "spatial_weight": 0.7}, **SIZES)
    manifest = load_run(storage)
    assert under_snapshot(given(), manifest).label.name == "own"
    assert under_snapshot(given(label={"name": "default"}), manifest).label.name == "default"
    own = require_calibration(storage, "own")
    require_label(given(label={"name": "own", "spatial_weight": 0.7}), manifest, own)
    require_label(given(), manifest, own)
    with pytest.raises(UserError, match=r"label\.spatial_weight is 0\.9 .* labels 'own' were fused with 0\.7"):
        require_label(given(label={"name": "own", "spatial_weight": 0.9}), manifest, own)


def test_other_weights_under_the_name_of_the_embedder_are_refused(run):
    config, _, manifest = run
    resolved = resolve(config)
    require_weights(resolved, manifest)
    measured = manifest.model_copy(update={"models": {"bundled-a": "0" * 64}})
    with pytest.raises(UserError, match=r"digest of bundled-a but the run was made with 000000000000\.\.\."):
        require_weights(resolved, measured)


def test_identities_with_one_image_are_reported_before_a_classification(run, tmp_path, capsys):
    """A class of one image trained without a word: no second image of it could pull on its centre."""
    config, storage, _ = run
    save(tmp_path / "faces" / "ann" / "0.png", 10)
    sections = {"sources": [{"name": "more", "url": str(tmp_path / "faces")}], "batch_size": 4}
    for method, lines in (("label_regression", 0), ("cr_fiqa", 1)):
        train = config.train.model_dump() | sections | {"method": method, "network": "compact"}
        training_task(resolve(RunConfig.model_validate(config.model_dump() | {"train": train})), storage)
        written = capsys.readouterr().err
        assert written.count("1 of 8 identities have one training image, such as more/ann") == lines


def test_other_unlabelled_portraits_are_another_training(run, tmp_path):
    """The folder of set R counted only beside a folder of scored portraits, not beside those of the run."""
    config, storage, manifest = run
    (tmp_path / "train").mkdir()
    train = {
        "method": "dsl_fiqa",
        "network": "dsl-compact",
        "initialise": "random",
        "dsl": {"unlabelled": str(tmp_path)},
    }
    own = RunConfig.model_validate(config.model_dump() | {"train": config.train.model_dump() | train})
    bases = []
    for content in (b"", b"more"):
        (tmp_path / "train" / "a.png").write_bytes(content)
        bases.append(training_basis(resolve(own), manifest, require_calibration(storage, "default")))
    assert bases[0]["sources_sha256"] != bases[1]["sources_sha256"]
