"""The cards of configs/models/ are right as they stand, but for the digest that only the reader has."""

import re
import shlex
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from synfiqa.actors.face_analysis.onnx_classifier import ClassifierArguments
from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.catalogue import Catalogue, bundled
from synfiqa.actors.model_store.checks.canary import ROLES
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.selection import run_models
from synfiqa.jobs.cli import build_parser
from synfiqa.jobs.config import load_config
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import StateRules
from tests.actors.generation.face_model import python2_pickle
from tests.actors.model_store.cards import catalogue
from tests.documented import checkpoints_table

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "checkpoints.md").read_text(encoding="utf-8")
CHAIN = (ROOT / "docs" / "generative-chain.md").read_text(encoding="utf-8")


def blocks(text, language):
    """Return the code of a language in the text, that inside of lists too."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, kind, code in found if kind == language]


FILES = checkpoints_table.FILES
DOCUMENTS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
CARDS = {name: card for content in DOCUMENTS.values() for name, card in content["models"].items()}
CONFIGS = [yaml.safe_load(block) for text in (TEXT, CHAIN) for block in blocks(text, "yaml")]
GENERATIVE = [name for name, card in CARDS.items() if card["role"] not in ROLES - {"face_encoder", "face_parser"}]
LISTED = [line for content in DOCUMENTS.values() for line in content["about"].get("files", [])]
"""Paths of the files that the folders of cards hold."""
COMMANDS = sorted(
    {
        command
        for text in (TEXT, CHAIN)
        for command in (
            *(line for block in blocks(text, "") for line in block.splitlines() if line.startswith("synfiqa ")),
            *re.findall(r"`(synfiqa [^`\n]+)`", text),
        )
    }
)
PAPER = ("controlled-sd15", "adm-ffhq256", "flame", "deca", "bisenet", "retinaface", "6drepnet360")
SMALL_ADM = {"image_size": 32, "base": 32, "multipliers": [1, 2], "attention_at": [16], "head_channels": 32}
SMALLER = {
    "adm-unet": {"input_size": 32, "arguments": SMALL_ADM},
    "diffusers-unconditional": {"input_size": 32, "arguments": {}},
    "controlled-diffusion": {"input_size": 64, "arguments": {"size": "tiny"}},
}
"""What makes a card of gigabytes one that a test can load; FLAME, DECA and BiSeNet are loaded at full size."""


def filled(path, folder):
    """Copy a file of configs/models/ with a digest where it has dots; return the copy."""
    copy = folder / path.name
    copy.write_text(
        path.read_text(encoding="utf-8").replace("sha256: ...\n", f"sha256: {'f' * 64}\n"), encoding="utf-8"
    )
    return copy


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doc")
    for path in FILES:
        filled(path, folder)
    return Catalogue.load(str(folder))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_a_catalogue_once_its_digest_is_filled_in(tmp_path, path):
    own = Catalogue.load(str(filled(path, tmp_path))).own()
    assert [model.name for model in own] == list(DOCUMENTS[path.stem]["models"])
    assert own[0].name == path.stem
    if any(model.origin != "built-in" for model in own):
        with pytest.raises(
            UserError, match=r"sha256 must be 64 hex digits, not '\.\.\.': `synfiqa models digest PATH`"
        ):
            Catalogue.load(str(path))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_says_all_that_the_tables_hold_and_where_its_model_is(name):
    about, cards = DOCUMENTS[name]["about"], DOCUMENTS[name]["models"].values()
    told = {*checkpoints_table.COLUMNS, "published", "get", "licence"}
    assert told <= about.keys()
    assert all(isinstance(about[field], str) and about[field] for field in told)
    assert {card["commercial_use"] for card in cards} == {about["commercial_use"] == "yes"}
    known = {*told, "part", "chain", "input", "output", "thresholds", "used", "md5", "files", "parts"}
    assert about.keys() <= known | {"arguments", "notes", "convert", "bundled"}


def test_the_tables_of_the_page_are_current():
    assert checkpoints_table.written(TEXT) == TEXT, "python -m tests.documented.checkpoints_table --write"


@pytest.mark.parametrize("name", CARDS)
def test_a_card_can_be_copied_as_it_is(documented, name):
    own = documented.model(name)
    assert CARDS[name].get("sha256") == ("..." if own.origin != "built-in" else None)
    architecture = ARCHITECTURES[own.card.architecture]
    if architecture.network:
        with torch.device("meta"):
            build_network(own.card)
    if own.card.architecture.startswith("onnx"):
        arguments_of(own.card, ClassifierArguments)


def smaller(name):
    """Return the fields of a documented card, of a network that is small enough."""
    changes = SMALLER.get(CARDS[name]["architecture"], {})
    arguments = CARDS[name].get("arguments", {}) | changes.get("arguments", {})
    return CARDS[name] | changes | {"arguments": arguments}


def published(name, folder):
    """Write random weights under the documented source, in the form of the public files; return their place."""
    fields = {key: value for key, value in smaller(name).items() if key != "sha256"}
    made = locate(catalogue(folder / "random", mine=fields | {"source": "random:0"}).model("mine"))
    target = folder / CARDS[name]["source"]
    if made.is_dir():
        shutil.copytree(made, target)
        if (model := target / "generic_model.npz").exists():
            # Published arrays are in double precision.
            arrays = {key: value.astype(np.float64) for key, value in np.load(model).items()}
            python2_pickle.write(target / "generic_model.pkl", python2_pickle.as_distributed(arrays))
            model.unlink()
        return target
    state, one = load_file(made), torch.zeros(1)
    if name == "deca":
        state = {"E_flame": state, "E_detail": {"encoder.conv1.weight": one}, "D_detail": {"init_size": one}}
    if name == "bisenet":
        state |= {f"conv_out{level}.conv_out.weight": one for level in (16, 32)}
    torch.save(state, target)
    return target


@pytest.mark.parametrize("name", GENERATIVE)
def test_a_generative_card_loads_the_files_that_are_listed(tmp_path, name):
    (tmp_path / "random").mkdir()
    place, source = published(name, tmp_path), CARDS[name]["source"]
    found = {f"{source}/{file.relative_to(place).as_posix()}" for file in place.rglob("*") if file.is_file()}
    assert found == {line for line in LISTED if line.startswith(f"{source}/")}
    model = catalogue(tmp_path, **{name: smaller(name) | {"sha256": weights_digest(place)}}).model(name)
    finding = check_model(model)
    assert finding.problems == []
    assert ("its weights fit" in " ".join(finding.notes)) == (not finding.answer)


def test_every_listed_file_belongs_to_a_card():
    assert {line.partition("/")[0] for line in LISTED} == {
        CARDS[name]["source"] for name in GENERATIVE if "." not in CARDS[name]["source"]
    }


def test_cards_of_gigabytes_are_of_the_published_networks(documented):
    with torch.device("meta"):
        sizes = {
            name: sum(value.numel() for value in build_network(documented.model(name).card).parameters())
            for name in ("adm-ffhq256", "deca", "bisenet")
        }
    assert sizes == {"adm-ffhq256": 93_563_910, "deca": 25_848_108, "bisenet": 13_150_272}
    adm = documented.model("adm-ffhq256").card
    assert adm.input_size == 256
    assert adm.cost_gflop == pytest.approx(adm.arguments["steps"] * 387.9, rel=0.001)
    for name in GENERATIVE:
        card = documented.model(name).card
        if card.architecture == "controlled-diffusion":
            said = arguments_of(card, DiffusionArguments)
            assert (said.size, said.steps, said.guidance, card.input_size) == ("full", 20, 7.0, 512)
            assert card.cost_gflop == pytest.approx(40_200, rel=0.01)


OURS = {"conditional_generator", "quality"}
"""Roles that no published checkpoint plays: what plays them comes with the package, or from `synfiqa train`."""


def test_every_architecture_that_takes_a_checkpoint_has_a_card():
    # Cards of quality scorers are a folder of their own: tests/actors/quality/trained/test_published_cards.py.
    needed = {
        name for name, entry in ARCHITECTURES.items() if (entry.network or entry.rehearsal) and entry.role != "quality"
    }
    # The weights of a vit-recogniser are those of the quality network fiqa-vit.
    ours = {model.card.architecture for model in bundled().values()} | {"vit-recogniser"}
    assert needed - ours <= {card["architecture"] for card in CARDS.values()}
    assert {card["role"] for card in CARDS.values()} == {entry.role for entry in ARCHITECTURES.values()} - OURS


def test_every_role_has_a_row_that_says_what_its_licence_allows():
    table = TEXT.partition("| role | published chain |")[2].partition("\n\n")[0]
    roles = [row.split("|")[1].strip() for row in table.splitlines()[2:]]
    # An embedder also judges whether two pseudo-identities are one person.
    assert set(roles) == {entry.role for entry in ARCHITECTURES.values()} - OURS | {"uniqueness"}
    assert len(roles) == len(set(roles))
    assert not any(CARDS[name]["commercial_use"] for name in GENERATIVE)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_config_names_models_that_are_there(documented, monkeypatch, config):
    models = RunConfig.model_validate(config).models
    # Judges that come with the project need no catalogue.
    assert models.catalogue == ("models.yaml" if "models" in config else "")
    monkeypatch.setattr(Catalogue, "load", lambda *_, **__: documented)
    run_models(models)


def test_the_paper_runs_on_the_documented_cards(documented, monkeypatch):
    monkeypatch.chdir(ROOT)
    section = load_config("configs/paper.yaml").models
    rehearsed = Catalogue.load(section.catalogue)
    monkeypatch.setattr(Catalogue, "load", lambda *_, **__: documented)
    chosen = run_models(ModelsSection.model_validate(section.model_dump() | {"catalogue": "models.yaml"}))
    used = {model.name for model in chosen.all_models()} - bundled().keys()
    assert used >= set(PAPER)
    for name in used:
        own, random = documented.model(name).card, rehearsed.model(name).card
        for field in ("architecture", "input_size", "channels", "value_range", "normalise", "resize"):
            assert getattr(own, field) == getattr(random, field), (name, field)
        assert own.arguments.items() <= random.arguments.items(), name
        if own.role not in ROLES:
            assert own.arguments == random.arguments, name


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one(command):
    build_parser().parse_args(shlex.split(command, comments=True)[1:])


def test_the_released_thresholds_are_those_of_the_table():
    released = next(config["filter"] for config in CONFIGS if "filter" in config)
    rows = {
        key: [cell.strip() for cell in row.split("|")]
        for row in TEXT.splitlines()
        for key in re.findall(r"^\| [^`]*\| `filter\.(\w+)`", row.replace("\\|", ""))
    }
    defaults = RunConfig().filter
    for key, cells in rows.items():
        assert float(cells[-2]) == getattr(defaults, key)
        assert float(cells[-3].split()[0]) == released[key] if key in released else cells[-3] == "none"
    assert rows.keys() | {"profile"} == RunConfig().filter.model_dump().keys()


def test_every_state_rule_is_explained():
    rules = TEXT.partition("### State rules")[2].partition("\n## ")[0]
    assert all(f"`{name}" in rules for name in StateRules.model_fields)
