"""The cards of docs/checkpoints.md are right as they stand, but for the digest that only the reader has."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from actors.card_arguments import arguments_of
from actors.model_store.architectures import ARCHITECTURES
from actors.model_store.canary import ROLES
from actors.model_store.catalogue import Catalogue, bundled
from actors.model_store.loading import build_network
from actors.onnx_classifier import ClassifierArguments
from schemas.config import RunConfig
from schemas.model_card import StateRules

MEASURING = {name: entry for name, entry in ARCHITECTURES.items() if entry.role in ROLES}

TEXT = (Path(__file__).parents[3] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
CARDS = {
    name: card
    for block in BLOCKS
    for name, card in block.get("models", {}).items()
    if isinstance(card, dict) and "role" in card
}
CONFIGS = [block for block in BLOCKS if not any(isinstance(value, dict) for value in block["models"].values())]


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    path = tmp_path_factory.mktemp("doc") / "models.yaml"
    cards = {
        name: card | ({"sha256": "0" * 64} if card["source"] != "built-in" else {}) for name, card in CARDS.items()
    }
    path.write_text(yaml.safe_dump({"models": cards}))
    return Catalogue.load(str(path))


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


def test_every_architecture_that_takes_a_checkpoint_has_a_card():
    needed = {name for name, entry in MEASURING.items() if entry.network or entry.rehearsal}
    ours = {model.card.architecture for model in bundled().values()}
    assert needed - ours <= {card["architecture"] for card in CARDS.values()}
    assert {card["role"] for card in CARDS.values()} == {entry.role for entry in MEASURING.values()}


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_config_names_models_that_are_there(documented, config):
    models = RunConfig.model_validate(config).models
    for field in ("detector", "pose", "glasses", "expression", "uniqueness", "embedder", "image_text"):
        if name := getattr(models, field):
            documented.model(name)
    assert models.catalogue == "models.yaml"


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
