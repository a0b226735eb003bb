"""The cards of configs/models/quality/ load with random weights of the published shapes, and the light ones are run."""

import contextlib
from pathlib import Path

import pytest
import torch
import yaml

from synfiqa.actors.model_store.architectures.quality import NETWORKS, PUBLISHED
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.state import fit_state, state_dict_of
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.trained.published_norm import PublishedNorm
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder
from synfiqa.schemas.model_card import bars_commercial_use
from tests.actors.model_store.cards import SMALL, catalogue
from tests.actors.quality.training_free.tiny import IRESNET, faces

CONFIGS = Path(__file__).parents[4] / "configs"
FILES = sorted((CONFIGS / "models" / "quality").glob("*.yaml"))
DOCUMENTS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
CARDS = {name: card for content in DOCUMENTS.values() for name, card in content["models"].items()}
REHEARSED = Catalogue.load(str(CONFIGS / "models-quality.yaml"))
TENSORS = {
    "cr-fiqa-s": 477,
    "cr-fiqa-l": 927,
    "mr-fiqa": 477,
    "mr-fiqa-pp": 491,
    "vit-fiqa": 156,
    "ex-fiqa": 156,
    "magface-norm": 925,
    "adaface-norm": 917,
    "sdd-fiqa": 340,
    "dsl-fiqa": 372,
    "ediffiqa-t": 337,
    "ediffiqa-s": 191,
    "ediffiqa-m": 479,
    "ediffiqa-l": 929,
    "lightqnet": 206,
    "lightqnet-050": 206,
    "lightqnet-025": 206,
}
"""Tensors of each network."""
MILLIONS = {"cr-fiqa-s": 43.591361, "cr-fiqa-l": 65.156673, "mr-fiqa-pp": 43.789249, "adaface-norm": 65.15} | {
    "ediffiqa-t": 1.7,
    "ediffiqa-s": 24.6,
    "ediffiqa-m": 44.1,
    "ediffiqa-l": 65.7,
}
"""Published numbers of parameters, rounded as their papers round them."""
COSTED = ("cr-fiqa-s", "mr-fiqa-pp", "vit-fiqa", "sdd-fiqa", "ediffiqa-t", "ediffiqa-s", "lightqnet", "lightqnet-025")
"""Networks whose operations are counted here; the deepest take seconds."""
LIGHT = ("random-lightqnet", "random-lightqnet-025", "random-ediffiqa-t")
"""Rehearsals that are made and run in seconds; `models check configs/models-quality.yaml` runs all."""


@pytest.fixture(scope="module")
def skeletons():
    """Every published network at its full size, without memory for its weights."""
    made, found = {}, {}
    with torch.device("meta"):
        for name in TENSORS:
            card = REHEARSED.model(f"random-{name}").card
            key = f"{card.architecture} {card.arguments}"
            found[name] = made[key] = made.get(key) or build_network(card)
    return found


def test_every_published_scorer_has_a_card_and_a_rehearsal():
    # The others come from `synfiqa train` alone.
    trained_here = {"quality-net", "fiqa-mobilefacenet", "fiqa-compact"}
    assert {card["architecture"] for card in CARDS.values()} == (NETWORKS.keys() - trained_here) | PUBLISHED.keys()
    networks = {name for name, card in CARDS.items() if ARCHITECTURES[card["architecture"]].network}
    assert TENSORS.keys() == networks
    assert {model.name for model in REHEARSED.own()} == {f"random-{name}" for name in networks}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_becomes_a_scorer_once_its_digest_is_filled_in(tmp_path, name):
    fields = CARDS[name]
    digest = "f" * 64 if fields["sha256"] == "..." else fields["sha256"]
    card = catalogue(tmp_path, **{name: fields | {"sha256": digest}}).model(name, "quality").card
    assert card.higher_is_better
    assert not card.commercial_use
    assert card.cost_gflop
    if name in TENSORS:
        random = REHEARSED.model(f"random-{name}").card
        for field in ("architecture", "arguments", "input_size", "channels", "value_range", "cost_gflop", "output"):
            assert getattr(card, field) == getattr(random, field), field


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_states_origin_and_licence(name):
    about = DOCUMENTS[name]["about"]
    needed = {"published", "weights", "training_data", "commercial_use", "alternative", "get", "licence"}
    assert needed <= about.keys() <= needed | {"arguments", "input", "notes"}
    assert about["commercial_use"] == "no"
    # "no" although the licence of the code would allow it means that the training data do not.
    assert bars_commercial_use(about["licence"]) or "research" in about["training_data"] + about["licence"]


@pytest.mark.parametrize("name", TENSORS)
def test_a_network_has_the_published_tensors_and_parameters(skeletons, name):
    assert len(skeletons[name].state_dict()) == TENSORS[name]
    parameters = sum(value.numel() for value in skeletons[name].parameters()) / 1e6
    assert parameters == pytest.approx(MILLIONS.get(name, parameters), rel=0.02)


@pytest.mark.parametrize("name", COSTED)
def test_a_card_states_the_cost_of_its_network(skeletons, monkeypatch, name):
    side = CARDS[name]["input_size"]
    # Autocast is not for tensors without memory; weights are float32 in any case.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    cost = gflop(skeletons[name], torch.zeros(1, 3, side, side, device="meta"))
    assert cost == pytest.approx(CARDS[name]["cost_gflop"], rel=0.005)


def test_networks_with_one_trunk_cost_the_same():
    costs = {name: card["cost_gflop"] for name, card in CARDS.items()}
    assert costs["magface-norm"] == costs["ediffiqa-l"] == costs["cr-fiqa-l"]
    assert costs["ediffiqa-m"] == costs["mr-fiqa"] == costs["cr-fiqa-s"]
    assert costs["ediffiqa-onnx"] == costs["ediffiqa-t"]
    assert costs["ex-fiqa"] == costs["vit-fiqa"]


@pytest.mark.parametrize("name", TENSORS)
def test_a_card_takes_its_checkpoint_by_its_own_rules(skeletons, name):
    network, fields = skeletons[name], CARDS[name]
    rules = ARCHITECTURES[fields["architecture"]].rules
    state = dict(network.state_dict())
    fit_state(network, state_dict_of({"state_dict": state} if rules.unwrap else state, rules), rules, name)
    if prefix := fields.get("state", {}).get("keep"):
        card_rules = type(rules)(**fields["state"])
        wrapped = {"state_dict": {f"{prefix}{key}": value for key, value in state.items()}}
        fit_state(network, state_dict_of(wrapped, card_rules), card_rules, name)


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_rehearsal_passes_the_check_at_full_size(tmp_path, name):
    whole = Catalogue.load(str(CONFIGS / "models-quality.yaml"), cache=str(tmp_path))
    finding = check_model(whole.model(name))
    assert finding.problems == []
    assert len(finding.answer) == 2
    assert not [note for note in finding.notes if "blind" in note or "zeros" in note]


def test_a_card_of_the_catalogue_is_a_scorer_by_name(tmp_path):
    fields = {"role": "quality", "architecture": "magface-norm", "higher_is_better": True}
    own = catalogue(tmp_path, mine=SMALL | IRESNET | fields, light=CARDS["lightqnet-025"] | {"source": "random:0"})
    settings, images = ScorerSettings(own), faces(3)
    found = scorers_of(["mine", "light"], settings, {}, "evaluate.scorers")
    wanted = NetworkEmbedder(own.model("mine").card, locate(own.model("mine")), Execution()).embed_with_norms(images)[1]
    assert found["mine"].score(images) == pytest.approx(wanted, rel=1e-5)
    assert ((found["light"].score(images) > 0) & (found["light"].score(images) < 1)).all()
    assert scorer_digests(["mine", "light"], settings).keys() == {"mine", "light"}


def test_published_networks_are_quality_networks(skeletons):
    assert all(isinstance(skeletons[name], FiqaNetwork) for name in TENSORS if not name.endswith("-norm"))
    assert PUBLISHED["magface-norm"].player.endswith(PublishedNorm.__name__)
