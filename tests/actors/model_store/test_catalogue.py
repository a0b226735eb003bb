import re

import pytest
import torch
import yaml
from safetensors.torch import load_file

from synfiqa.actors.model_store import catalogue as store
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES, load
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import BUNDLED, Catalogue, bundled, check_contract, read_bundled
from synfiqa.actors.model_store.digest import file_digest
from synfiqa.actors.model_store.loading import load_network
from synfiqa.schemas.errors import UserError
from tests.actors.model_store.cards import ADAFACE, SMALL, card, catalogue, catalogue_file, weights

TRAINED = ("bundled-a", "bundled-b", "bundled-clip")
"""Bundled networks with weights beside their card."""
FAKE_DIGEST = "0" * 64


def refused(folder, **entries):
    with pytest.raises(UserError) as caught:
        catalogue(folder, **entries)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'models.yaml'}, model '{next(iter(entries))}': "), said
    return said


def without(fields, *names):
    return {key: value for key, value in fields.items() if key not in names}


def test_bundled_models_play_every_role_without_a_file():
    models = Catalogue.load()
    assert {model.card.role for model in models} == {
        *("detector", "pose", "glasses", "expression", "embedder", "image_text", "face_model", "face_encoder"),
        *("identity_generator", "conditional_generator", "quality"),
    }
    assert models.own() == list(models)


def test_own_models_come_beside_the_bundled_ones(tmp_path):
    models = catalogue(tmp_path, offline=False, mine=ADAFACE)
    assert [model.name for model in models.own()] == ["mine"]
    assert {model.name for model in models} == bundled().keys() | {"mine"}
    assert all((model.cache, model.offline) == (str(tmp_path / "cache"), False) for model in models)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"licens": "MIT"}, "licens is not a known key: did you mean licence?"),
        ({"colour": "red"}, "colour is not a known key: known: name, role, architecture"),
        ({"state": {"drop": "module."}}, "state.drop is not a known key: known: unwrap, strip"),
        ({"role": "king"}, "role: Input should be 'detector', 'pose'"),
        ({"architecture": "adaface"}, "architecture 'adaface' is not one of 6drepnet360, adaface-ir, adaface-norm"),
        ({"role": "detector"}, "adaface-ir plays the role embedder, not detector"),
        ({"channels": "rgb"}, "no published adaface-ir takes rgb, range [-1.0, 1.0] at 112 px; known: bgr, range,"),
        ({"value_range": [0, 1]}, "takes bgr, range [0.0, 1.0] at 112 px"),
        ({"normalise": "imagenet"}, "takes bgr, imagenet"),
        ({"input_size": 224}, "at 224 px; known: bgr, range, [-1.0, 1.0], at 112 px"),
        ({"source": ""}, "sha256 is missing: it identifies the weights of a run"),
        ({"source": "w.pth"}, "sha256 is missing"),
        ({"source": "https://example.org/w.pth"}, "sha256 is missing"),
        ({"source": "w.pth", "sha256": "abc"}, "sha256 must be 64 hex digits, not 'abc': `synfiqa models digest PATH`"),
        ({"source": "", "sha256": FAKE_DIGEST}, "source is missing: a path or URL of the weights, or random:0"),
        ({"source": "built-in"}, "adaface-ir has weights: source must say where they lie, not built-in"),
        ({"licence": "unknown"}, "licence: name the licence that the weights came with, such as MIT"),
        ({"licence": " "}, "licence: name the licence"),
        ({"licence": "MIT\x00"}, "licence: name the licence"),
        ({"licence": "CC BY-NC 4.0"}, "commercial_use is true but the licence is 'CC BY-NC 4.0': set it to false"),
        ({"name": "bundled-a"}, "its card says name: bundled-a; the name is the key of the card, leave it out"),
        ({"canary": [float("nan")]}, "canary.0: Input should be a finite number"),
        ({"state": {"rename": [["(", ""]]}}, "state.rename: '(' -> '' is no regular expression"),
    ],
)
def test_a_wrong_card_is_refused_in_a_sentence_that_names_file_model_and_remedy(tmp_path, changes, sentence):
    assert sentence in refused(tmp_path, mine=ADAFACE | changes)


@pytest.mark.parametrize(
    "field", ["licence", "commercial_use", "role", "architecture", "input_size", "channels", "value_range", "output"]
)
def test_what_must_never_be_implicit_must_be_on_the_card(tmp_path, field):
    said = refused(tmp_path, mine=without(ADAFACE, field))
    assert said.endswith(f"{field} is missing: every card states it, see docs/checkpoints.md")


@pytest.mark.parametrize("entry", [None, 3, "random:0", [ADAFACE]])
def test_a_card_is_a_mapping(tmp_path, entry):
    assert "a card is a mapping with role, architecture" in refused(tmp_path, mine=entry)


@pytest.mark.parametrize("name", ["../mine", "two words", "", "x" * 65, "-mine"])
def test_names_are_fit_for_configs_and_files(tmp_path, name):
    assert "name: String should match" in refused(tmp_path, **{name: ADAFACE})


def test_the_name_of_a_bundled_model_is_taken(tmp_path):
    with pytest.raises(UserError, match=r"models\.yaml: 'bundled-b' is the name of a bundled model; choose another"):
        catalogue(tmp_path, **{"bundled-b": ADAFACE})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models:\n  a: {role: pose}\n  a: {role: pose}\n", "'a' is there twice (line 2)"),
        ("models:\n  a:\n    role: pose\n    licence: MIT\n    licence: Apache-2.0\n", "'licence' is there twice"),
        ("models: {a: [}", "is not valid YAML"),
        ("", "must hold one section 'models:'"),
        ("models:\n", "must hold one section 'models:'"),
        ("- a\n", "must hold one section 'models:'"),
        ("models: {}\nmore: 1\n", "must hold one section 'models:'"),
        ("models: {[a]: 1}", "is not valid YAML"),
        ("models: {a: !!python/object/apply:os.getcwd []}", "is not valid YAML"),
        (b"\xff\xfe models", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path, text, sentence):
    path = tmp_path / "models.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=re.escape(str(path))) as caught:
        Catalogue.load(str(path))
    assert sentence in str(caught.value)


def test_a_missing_catalogue_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml cannot be read \(No such file or directory\): name a"):
        Catalogue.load(str(tmp_path / "nowhere.yaml"))


def test_cards_may_share_fields_by_a_yaml_merge(tmp_path):
    path = catalogue_file(tmp_path, first=ADAFACE)
    text = path.read_text().replace("  first:", "  first: &first")
    path.write_text(text + "  second:\n    <<: *first\n    source: random:1\n")
    models = Catalogue.load(str(path))
    assert [(model.name, model.origin) for model in models.own()] == [("first", "random:0"), ("second", "random:1")]


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("w.pth", "{folder}/w.pth"),
        ("sub/w.pth", "{folder}/sub/w.pth"),
        ("/srv/w.pth", "/srv/w.pth"),
        ("s3://bucket/w.pth", "s3://bucket/w.pth"),
        ("random:3", "random:3"),
        ("package:facenet_pytorch/data", "package:facenet_pytorch/data"),
    ],
)
def test_a_relative_source_is_looked_up_beside_the_catalogue(tmp_path, monkeypatch, source, origin):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "cards").mkdir()
    path = catalogue_file(tmp_path / "cards", mine=ADAFACE | {"source": source, "sha256": FAKE_DIGEST})
    model = Catalogue.load(str(path.relative_to(tmp_path / "elsewhere", walk_up=True))).model("mine")
    found = model.origin if "://" in origin or ":" in origin else str(store.Path(model.origin).resolve())
    assert found == origin.format(folder=tmp_path / "cards")


def test_a_source_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    model = catalogue(tmp_path, mine=ADAFACE | {"source": "~/w.pth", "sha256": FAKE_DIGEST}).model("mine")
    assert model.origin == str(tmp_path / "w.pth")


def test_an_unknown_name_lists_the_known_ones_and_the_way_out(tmp_path):
    with pytest.raises(
        UserError,
        match=r"no model 'nonesuch': choose one of bundled-a, bundled-b, bundled-student, dlib, or name a models",
    ):
        Catalogue.load().model("nonesuch", "embedder")
    models = catalogue(tmp_path, mine=ADAFACE)
    with pytest.raises(
        UserError,
        match=r"choose one of bundled-a, bundled-b, bundled-student, dlib, mine or add a card to .*models\.yaml",
    ):
        models.model("nonesuch", "embedder")


def test_a_model_in_the_wrong_role_is_refused():
    with pytest.raises(
        UserError, match="'bundled-clip' plays the role image_text, not embedder: choose one of bundled-a"
    ):
        Catalogue.load().model("bundled-clip", "embedder")


def test_code_without_weights_may_have_a_card_of_its_own(tmp_path):
    entry = bundled()["edge-glasses"].card.model_dump(mode="json", exclude={"name"}, exclude_unset=True)
    models = catalogue(tmp_path, mine=entry | {"arguments": {"threshold": 0.2}})
    assert models.model("mine", "glasses").origin == "built-in"


def test_every_contract_of_an_architecture_is_accepted_and_nearby_ones_are_not():
    for name, architecture in ARCHITECTURES.items():
        for contract in architecture.contracts:
            fields = {
                "role": architecture.role,
                "architecture": name,
                "channels": contract.channels or "rgb",
                "normalise": contract.normalise or "range",
                "value_range": contract.value_range or ([-3, 3] if contract.normalise == "range" else None),
                "input_size": contract.input_size or 99,
                "resize": contract.resize or "bilinear",
            }
            right = card(**fields)
            check_contract(right, "here")
            other = right.model_copy(update={"channels": "gray" if contract.channels != "gray" else "bgr"})
            with pytest.raises(UserError, match=f"here: no published {name} takes"):
                check_contract(other, "here")


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_the_code_of_every_architecture_exists(name):
    architecture = ARCHITECTURES[name]
    assert callable(load(architecture.player))
    for reference in (architecture.network, architecture.rehearsal, architecture.frozen):
        assert not reference or callable(load(reference))


@pytest.mark.parametrize("name", TRAINED)
def test_a_bundled_card_describes_the_file_beside_it(name):
    model = bundled()[name]
    assert model.name == name
    assert file_digest(locate(model)) == model.card.sha256
    assert model.card.commercial_use
    assert model.card.command.startswith("python -m synfiqa.fiqa_train.bundled.")
    assert model.card.metrics


@pytest.mark.parametrize("name", TRAINED)
def test_bundled_weights_are_stored_in_half_and_loaded_in_single_precision(name):
    path = BUNDLED / f"{name}.safetensors"
    stored = load_file(path)
    assert {value.dtype for value in stored.values()} <= {torch.float16, torch.int64}
    loaded = load_network(bundled()[name].card, path).state_dict()
    assert {value.dtype for value in loaded.values()} <= {torch.float32, torch.int64}
    assert all(torch.equal(loaded[key], value.to(loaded[key].dtype)) for key, value in stored.items())


def test_all_bundled_weights_together_stay_below_thirteen_megabytes():
    files = list(BUNDLED.glob("*.safetensors"))
    assert len(files) == 6
    assert sum(path.stat().st_size for path in files) < 13_000_000


def test_labelling_and_evaluating_embedder_differ_in_shape():
    a, b = bundled()["bundled-a"].card, bundled()["bundled-b"].card
    assert a.arguments["widths"] != b.arguments["widths"]
    assert a.sha256 != b.sha256


@pytest.mark.parametrize("text", ["name: [", "name: b\nrole: king\n", "- 3\n"])
def test_a_damaged_installation_is_named(tmp_path, text):
    (tmp_path / "b.yaml").write_text(text)
    with pytest.raises(UserError, match=r"b\.yaml cannot be read; reinstall the package"):
        read_bundled(tmp_path / "b.yaml")


def test_two_models_are_one_loaded_object_only_if_nothing_differs(tmp_path):
    path, digest = weights(tmp_path)
    entry = SMALL | {"source": path.name, "sha256": digest}
    first = catalogue(tmp_path, mine=entry).model("mine")
    assert first.key == catalogue(tmp_path, mine=entry).model("mine").key
    for change in ({"licence": "BSD"}, {"source": "random:1"}, {"resize": "bicubic"}):
        assert first.key != catalogue(tmp_path, mine=entry | change).model("mine").key


def test_a_folder_is_a_catalogue_of_all_its_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"models": {name: SMALL}, "about": {"get": "here"}}))
    found = Catalogue.load(str(tmp_path))
    assert [model.name for model in found.own()] == ["one", "two"]
    (tmp_path / "three.yaml").write_text(yaml.safe_dump({"models": {"two": SMALL}}))
    with pytest.raises(UserError, match=r"'two' is in three.yaml and in two.yaml; keep one of the two cards"):
        Catalogue.load(str(tmp_path))


def test_a_folder_without_a_file_is_no_catalogue(tmp_path):
    with pytest.raises(UserError, match=r"is a folder without a .yaml file: name a models.yaml"):
        Catalogue.load(str(tmp_path))
