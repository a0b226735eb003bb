import re
from pathlib import Path

import pytest
import ray
from safetensors.torch import save_file

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.resolved_run import resolve, verify_weights
from synfiqa.actors.model_store.selection import catalogue_of, run_models
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation.dataset import run_generate
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from tests.actors.model_store.cards import ADAFACE, SMALL, catalogue_file, state, weights
from tests.actors.model_store.recipes import fingerprint

ROLES = {
    "detector": "detector",
    "pose": "pose",
    "glasses": "glasses",
    "expression": "expression",
    "uniqueness": "embedder",
    "embedder": "embedder",
    "more_embedders": "embedder",
    "evaluation_embedder": "embedder",
    "image_text": "image_text",
    "scorers": "quality",
}
"""Field of the models section -> role that its model must play."""
GENERATIVE = {
    "identity_generator": "identity_generator",
    "face_model": "face_model",
    "face_encoder": "face_encoder",
    "face_parser": "face_parser",
    "conditional_diffusion": "conditional_diffusion",
    "control_embedder": "embedder",
}
"""The same for the generative chain: conditional/test_diffusion_backend.py and stages/test_identity_generator.py."""
NO_ROLE = {"mirrored_recognition", "conditional_generator", "precision", "micro_batch"} | {
    *("catalogue", "cache", "offline", "require_commercial")
}


def section(field: str, name: str) -> ModelsSection:
    return ModelsSection.model_validate({field: [name] if field in ("more_embedders", "scorers") else name})


def config(folder: Path, *, offline: bool = True, entries: dict | None = None, **models: object) -> RunConfig:
    """Return a config with a catalogue of these cards beside the bundled ones."""
    path = catalogue_file(folder, **(entries or {"mine": SMALL}))
    own = {"catalogue": str(path), "cache": str(folder / "cache"), "offline": offline}
    return RunConfig.model_validate({"run": {"url": str(folder / "run")}, "models": own | models})


def own_weights(folder: Path, **changes: object) -> dict:
    path, digest = weights(folder)
    return SMALL | {"source": str(path), "sha256": digest} | changes


def test_every_field_that_names_a_model_is_covered():
    assert ROLES.keys() | GENERATIVE.keys() | NO_ROLE == ModelsSection.model_fields.keys()


def test_the_defaults_need_no_catalogue():
    chosen = run_models(ModelsSection())
    assert {model.name for model in chosen.all_models()} <= bundled().keys()
    assert chosen.uniqueness.name == chosen.embedder.name


@pytest.mark.parametrize("field", ROLES)
def test_an_unknown_name_is_refused_in_every_field(field):
    with pytest.raises(UserError, match="There is no model 'nonesuch': choose one of"):
        run_models(section(field, "nonesuch"))


@pytest.mark.parametrize("field", ROLES)
def test_a_model_of_another_role_is_refused_in_every_field(field):
    wrong = next(model for model in bundled().values() if model.card.role != ROLES[field])
    sentence = f"'{wrong.name}' plays the role {wrong.card.role}, not {ROLES[field]}: choose one of"
    with pytest.raises(UserError, match=re.escape(sentence)):
        run_models(section(field, wrong.name))


@pytest.mark.parametrize("field", ROLES)
def test_own_models_can_be_chosen_in_every_field(tmp_path, field):
    like = next(model for model in bundled().values() if model.card.role == ROLES[field])
    entry = like.card.model_dump(mode="json", exclude={"name"}, exclude_unset=True) | {"source": like.origin}
    value = ["mine"] if field in ("more_embedders", "scorers") else "mine"
    chosen = run_models(config(tmp_path, entries={"mine": entry}, **{field: value}).models)
    assert "mine" in {model.name for model in chosen.all_models()}


def test_the_cache_and_being_offline_reach_every_model(tmp_path):
    chosen = run_models(config(tmp_path, offline=False, embedder="mine").models)
    assert {(model.cache, model.offline) for model in chosen.all_models()} == {(str(tmp_path / "cache"), False)}
    assert {model.offline for model in catalogue_of(ModelsSection())} == {True}


def test_the_dataset_is_made_by_all_models_but_the_evaluating_one(tmp_path):
    entries = {"mine": SMALL, "second": SMALL | {"source": "random:1"}}
    chosen = run_models(config(tmp_path, entries=entries, uniqueness="mine", more_embedders=["second"]).models)
    names = [model.name for model in chosen.of_dataset()]
    assert sorted(names) == sorted(
        [
            "procedural",
            "procedural-samples",
            "mtcnn",
            "landmark-pose",
            "line-glasses",
            "commanded-expression",
            "mine",
            "bundled-a",
            "second",
            "bundled-clip",
        ]
    )
    assert [model.name for model in chosen.all_models()] == [*names, "bundled-b"]


def test_models_without_commercial_use_are_refused_where_that_is_required(tmp_path):
    entries = {"mine": SMALL | {"commercial_use": False, "licence": "MIT; data for research only"}}
    allowed = {"entries": entries, "require_commercial": True}
    run_models(config(tmp_path, **allowed).models)
    for field in ("embedder", "uniqueness", "evaluation_embedder"):
        run_models(config(tmp_path, entries=entries, **{field: "mine"}).models)
        with pytest.raises(UserError, match=r"do not allow commercial use: mine \(MIT; data for research only\)"):
            run_models(config(tmp_path, **allowed, **{field: "mine"}).models)


def test_digests_are_those_of_the_weights_that_make_the_dataset():
    digests = verify_weights(resolve(RunConfig())).digests
    assert digests == {name: bundled()[name].card.sha256 for name in ("mtcnn", "bundled-a", "bundled-clip")}


def test_the_fingerprint_follows_the_weights(tmp_path):
    entry = own_weights(tmp_path)
    before = config(tmp_path, entries={"mine": entry}, embedder="mine")
    first = fingerprint(before)
    save_file(state(seed=1), tmp_path / "w.safetensors")
    changed = entry | {"sha256": weights_digest(tmp_path / "w.safetensors")}
    after = config(tmp_path, entries={"mine": changed}, embedder="mine")
    assert fingerprint(after) != first


def test_the_fingerprint_follows_what_a_card_says_of_the_input(tmp_path):
    prints = set()
    for changes in ({}, {"resize": "bicubic"}, {"arguments": SMALL["arguments"] | {"in_channels": 1}}):
        entry = own_weights(tmp_path) | changes
        prints.add(fingerprint(config(tmp_path, entries={"mine": entry}, embedder="mine")))
    assert len(prints) == 3


@pytest.mark.parametrize(
    "changed", [SMALL | {"source": "random:1"}, SMALL | {"arguments": SMALL["arguments"] | {"embedding_dim": 4}}]
)
def test_the_fingerprint_follows_the_settings_of_a_rehearsal(tmp_path, changed):
    prints = []
    for entry in (SMALL, changed):
        run = config(tmp_path, entries={"mine": entry}, embedder="mine")
        prints.append(fingerprint(run))
    assert prints[0] != prints[1]


def test_the_fingerprint_does_not_follow_where_weights_lie_or_who_evaluates(tmp_path):
    entry = own_weights(tmp_path)
    elsewhere, _ = weights(tmp_path / "elsewhere", "other.safetensors")
    prints = set()
    for run in (
        config(tmp_path, entries={"mine": entry}, embedder="mine"),
        config(tmp_path, entries={"mine": entry | {"source": str(elsewhere)}}, embedder="mine"),
        config(tmp_path, entries={"mine": entry}, embedder="mine", evaluation_embedder="bundled-a"),
        config(tmp_path, entries={"mine": entry}, embedder="mine", offline=False, cache=str(tmp_path / "c2")),
    ):
        prints.add(fingerprint(run))
    assert len(prints) == 1


def test_no_weights_are_made_on_the_driver_for_a_rehearsal(tmp_path):
    run = config(tmp_path, embedder="mine")
    assert verify_weights(resolve(run)).digests["mine"] == digest_of(catalogue_of(run.models).model("mine"))
    assert not (tmp_path / "cache" / "random").exists()


def test_recorded_cards_hold_no_credentials(tmp_path):
    entry = SMALL | {
        "source": "https://user:s3cret@example.org/w.pth?token=s3cret",
        "sha256": "0" * 64,
        "command": "curl https://user:s3cret@example.org/w.pth > w.pth",
    }
    run = config(tmp_path, entries={"mine": entry}, embedder="mine")
    manifest = open_run(Storage(str(tmp_path / "elsewhere")), run, {}, cards=resolve(run).cards)
    (mine,) = (card for card in manifest.cards if card.name == "mine")
    assert mine.source == "https://example.org/w.pth"
    assert mine.command == "curl https://example.org/w.pth > w.pth"
    assert b"s3cret" not in Storage(str(tmp_path / "elsewhere")).read("run.json")


@pytest.mark.parametrize(
    ("field", "changes", "sentence"),
    [
        ("embedder", {"sha256": "0" * 64}, "have digest"),
        ("uniqueness", {"sha256": "0" * 64}, "have digest"),
        ("evaluation_embedder", {"sha256": "0" * 64}, "have digest"),
        ("embedder", {"source": "nowhere.safetensors"}, "are missing on "),
        (
            "embedder",
            {"source": "memory://nowhere/w.safetensors"},
            "`synfiqa models fetch mine --catalogue FILE` on every node",
        ),
        ("embedder", {"licence": ""}, "licence: "),
        ("embedder", {"input_size": 96}, "no published small-iresnet takes gray, per-image at 96 px"),
    ],
)
def test_a_wrong_model_blocks_the_run_before_anything_starts(tmp_path, monkeypatch, field, changes, sentence):
    def touched(*_, **__):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(ray, "init", touched)
    run = config(tmp_path, entries={"mine": own_weights(tmp_path) | changes}, **{field: "mine"})
    with pytest.raises(UserError) as caught:
        run_generate(run, Storage(run.run.url))
    assert "mine" in str(caught.value)
    assert sentence in str(caught.value)
    assert not ray.is_initialized()
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_run_that_requires_commercial_use_is_blocked_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    entries = {"mine": ADAFACE | {"commercial_use": False, "licence": "WebFace4M: research only"}}
    run = config(tmp_path, entries=entries, uniqueness="mine", require_commercial=True)
    with pytest.raises(UserError, match="do not allow commercial use: mine"):
        run_generate(run, Storage(run.run.url))
    assert not (tmp_path / "run" / "run.json").exists()
