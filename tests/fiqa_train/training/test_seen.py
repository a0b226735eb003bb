"""What a model has learned from stands on its card, and no evaluation uses these identities unmarked."""

import json

import pytest
import yaml

import synfiqa.fiqa_train.evaluation.evaluate_run as evaluate
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.training.checkpoints import load_quality_model, publish
from synfiqa.fiqa_train.training.seen import people_digest, require_unseen, seen_by, split_digest
from synfiqa.fiqa_train.training.task import split_run
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.fiqa_train.evaluation.test_judges import Coarse
from tests.fiqa_train.evaluation.trained_run import changed, make_trained

EVERYBODY = range(16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config, storage = make_trained(tmp_path_factory.mktemp("seen") / "run")
    splits = split_run(config, EVERYBODY, (16,))
    return config, storage, load_run(storage), splits


def card_of(storage) -> ModelCard:
    return ModelCard(**yaml.safe_load(storage.read("models/default/model.yaml")))


def relearned(card, **fields):
    return card.model_copy(update={"learned_from": card.learned_from.model_copy(update=fields)})


def held_out(splits):
    return {number for number, split in splits.items() if split == "test"}


def test_a_card_lists_run_and_split(trained):
    _, storage, manifest, splits = trained
    record = card_of(storage).learned_from
    calibration = require_calibration(storage, "default")
    assert record.run_fingerprint == manifest.fingerprint
    assert (record.dataset_sha256, record.label) == (calibration.dataset_sha256, "default")
    assert (record.seed, record.test_fraction, record.validation_fraction, record.steps) == (3, 0.5, 0.1, (16,))
    assert record.split_sha256 == split_digest(splits)
    assert record.label_sha256 == json.loads(storage.read("models/default/train.json"))["label_sha256"]
    assert load_quality_model(storage.uri("models/default")).card.learned_from == record, "in the weights file too"


def test_a_card_without_a_record_has_no_such_key():
    card = card_of_nothing()
    assert "learned_from" not in card.model_dump(mode="json")
    assert card.learned_from is None


def card_of_nothing(**fields):
    return ModelCard(
        name="foreign",
        role="quality",
        architecture="quality-net",
        sha256="0" * 64,
        input_size=112,
        channels="gray",
        value_range=None,
        normalise="per-image",
        output="score",
        licence="MIT",
        commercial_use=True,
        **fields,
    )


def test_on_its_own_run_a_model_has_seen_all_but_its_test_identities(trained):
    _, storage, manifest, splits = trained
    card = card_of(storage)
    assert not seen_by(card, manifest, held_out(splits), EVERYBODY)
    assert set(seen_by(card, manifest, EVERYBODY, EVERYBODY)) == set(EVERYBODY) - held_out(splits)


def test_identities_that_a_run_has_grown_by_are_new_to_its_older_models(trained):
    _, storage, manifest, splits = trained
    card, more = card_of(storage), range(24)
    assert set(seen_by(card, manifest, more, more)) == set(EVERYBODY) - held_out(splits)


def test_a_split_that_cannot_be_repeated_counts_as_seen(trained):
    _, storage, manifest, splits = trained
    card = relearned(card_of(storage), split_sha256="0" * 64)
    assert set(seen_by(card, manifest, held_out(splits), EVERYBODY)) == held_out(splits)


def test_a_model_of_another_run_is_held_out_from_people_of_another_seed_alone(trained, tmp_path):
    _, storage, manifest, splits = trained
    mine = card_of(storage)
    assert mine.learned_from.people_sha256 == people_digest(manifest)
    same_people = relearned(mine, run_fingerprint="1" * 64)
    assert set(seen_by(same_people, manifest, held_out(splits), EVERYBODY)) == held_out(splits)
    other_people = relearned(mine, run_fingerprint="1" * 64, people_sha256="2" * 64)
    assert not seen_by(other_people, manifest, held_out(splits), EVERYBODY)
    recipe = {**manifest.recipe, "seed": 4}
    assert people_digest(manifest.model_copy(update={"recipe": recipe})) != people_digest(manifest)


def test_an_older_card_that_names_the_run_in_words_counts_as_seen(trained):
    _, _, manifest, splits = trained
    older = card_of_nothing(trained_on=f"synthetic faces of run {manifest.fingerprint[:16]}, started from noise")
    assert seen_by(older, manifest, held_out(splits), EVERYBODY)
    foreign = card_of_nothing(trained_on="synthetic faces of run 0123456789abcdef, started from random weights")
    assert not seen_by(foreign, manifest, held_out(splits), EVERYBODY)


def test_what_was_seen_is_refused_by_name_and_number(trained):
    _, storage, manifest, splits = trained
    leaking = relearned(card_of(storage), split_sha256="0" * 64)
    cards = {"model": card_of(storage), "mine": leaking}
    with pytest.raises(UserError, match=r"of the 8 identities .*, 'mine' may have learned from 8: .*--allow-seen"):
        require_unseen(cards, manifest, held_out(splits), EVERYBODY)
    assert require_unseen(cards, manifest, held_out(splits), EVERYBODY, allow_seen=True) == ["mine"]


def catalogue_of(folder, weights):
    """Write a catalogue with the trained model as `mine`, its card without a record, as people copy them."""
    fields = yaml.safe_load(weights.read("models/default/model.yaml"))
    kept = {key: value for key, value in fields.items() if key not in ("name", "learned_from", "metrics", "trained_on")}
    path = weights.local() / "models" / "default" / "model.safetensors"
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": {"mine": {**kept, "source": str(path)}}}), encoding="utf-8")
    return str(file)


def test_a_scorer_that_learned_from_the_test_identities_is_refused_or_marked(trained, tmp_path, monkeypatch):
    """A model of a run with the same people was compared as if it had never met them."""
    config, storage, _, _ = trained
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Coarse(model.name))
    # The same people under another recipe: a fingerprint of its own.
    make_trained(tmp_path / "sister", generate={"references": 3}, train={"epochs": 1})
    catalogue = catalogue_of(tmp_path, Storage(str(tmp_path / "sister")))
    beside = changed(changed(config, "models", catalogue=catalogue), "evaluate", scorers=("model", "sharpness", "mine"))
    with pytest.raises(UserError, match="'mine' may have learned from 8"):
        evaluate.run_evaluate(beside, storage)
    assert not storage.exists("models/default/evaluation.json")
    marked = evaluate.run_evaluate(beside, storage, allow_seen=True)
    assert (marked.seen, marked.seen_by) == (True, ["mine"])
    with pytest.raises(UserError, match="'mine' may have learned from 8"):
        evaluate.run_evaluate(beside, storage)
    clean = evaluate.run_evaluate(config, storage)
    assert (clean.seen, clean.seen_by) == (False, [])


def test_the_training_decides_who_is_held_out_even_for_a_model_of_another_seed(trained, monkeypatch):
    """Before, the config of `evaluate` chose the test identities of a model trained under another one."""
    config, storage, _, _ = trained
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Coarse(model.name))
    for path in ("train.json", "metrics.json"):
        document = json.loads(storage.read(f"models/default/{path}"))
        (document if path == "train.json" else document["basis"])["seed"] = 11
        storage.write(f"models/aged/{path}", json.dumps(document).encode())
    fields = yaml.safe_load(storage.read("models/default/model.yaml"))
    older = load_quality_model(storage.uri("models/default"))
    card = {key: value for key, value in fields.items() if key not in ("learned_from", "sha256")}
    published = publish(storage, "aged", older.state_dict(), card)
    metrics = json.loads(storage.read("models/aged/metrics.json")) | {"model_sha256": published.sha256}
    storage.write("models/aged/metrics.json", json.dumps(metrics).encode())
    asked = []
    read = evaluate.read_held_out

    def watched(store, shards, identities, *columns):
        asked.append(set(identities))
        return read(store, shards, identities, *columns)

    monkeypatch.setattr(evaluate, "read_held_out", watched)
    result = evaluate.run_evaluate(changed(config, "train", name="aged"), storage)
    theirs = split_run(changed(config, "run", seed=11), EVERYBODY, (16,))
    assert asked == [held_out(theirs)] != [held_out(split_run(config, EVERYBODY, (16,)))]
    assert not result.seen
