import dataclasses

import pytest
import torch
from safetensors.torch import save_file

from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network, load_network, play
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.model_store.state import fit_state, state_dict_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import StateRules
from tests.actors.model_store.cards import card, state, weights

PUBLISHED = {name: architecture for name, architecture in ARCHITECTURES.items() if architecture.network}
ARGUMENTS = {"small-clip": {"vocabulary": ["a", "face"]}, "quality-net": {"widths": [16, 16, 16, 16]}}
REAL = {"source": "w.pth", "sha256": "0" * 64}
"""Of the card of a checkpoint, which is no rehearsal."""
FULL = sorted(name for name, entry in PUBLISHED.items() if "state_dict" in entry.rules.unwrap)
"""Published in many wrappers; the others come bare, or in one wrapper of their own."""

VIT = {"fiqa-vit", "vit-recogniser", "ex-fiqa"}
INSIGHTFACE, ADAFACE = {"insightface-iresnet", "magface-norm"}, {"adaface-ir", "adaface-norm"}


@pytest.fixture(scope="module")
def skeletons():
    """Every architecture at its full size, without memory for its weights."""
    with torch.device("meta"):
        return {name: build_network(card(architecture=name, arguments=ARGUMENTS.get(name, {}))) for name in PUBLISHED}


@pytest.fixture
def constants(monkeypatch):
    """Replaces the network of small-iresnet by one with a constant."""
    network = "tests.actors.model_store.tiny_networks:WithConstants"
    monkeypatch.setitem(
        ARCHITECTURES, "small-iresnet", dataclasses.replace(ARCHITECTURES["small-iresnet"], network=network)
    )


def test_weights_of_a_file_end_up_in_the_network_ready_to_evaluate(tmp_path):
    path, _ = weights(tmp_path, seed=4)
    network = load_network(card(), path)
    stored = state(4)
    assert all(torch.equal(value, stored[key]) for key, value in network.state_dict().items())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_half_precision_weights_are_computed_in_single_precision(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({key: value.half() if value.is_floating_point() else value for key, value in state().items()}, path)
    assert {value.dtype for value in load_network(card(), path).parameters()} == {torch.float32}


def test_a_file_of_another_architecture_is_refused(tmp_path):
    path, _ = weights(tmp_path)
    wide = card(arguments=card().arguments | {"widths": [4, 4, 4, 8]})
    with pytest.raises(UserError, match=r"model 'mine' \(w\.safetensors\) does not fit .* 21 have wrong shapes"):
        load_network(wide, path)
    with pytest.raises(UserError, match=r"keys are missing .* are unexpected"):
        load_network(card(architecture="adaface-ir", arguments={"depth": 18}), path)


def test_the_rules_on_a_card_replace_those_of_its_architecture(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"ema": {f"net.{key}": value for key, value in state().items()}, "extra": torch.ones(1)}, path)
    with pytest.raises(UserError, match="1 are unexpected"):
        load_network(card(), path)
    network = load_network(card(**REAL, state={"unwrap": ["ema"], "keep": "net."}), path)
    assert torch.equal(network.state_dict()["project.weight"], state()["project.weight"])


def test_a_rehearsal_has_the_keys_of_the_network_whatever_the_rules_for_the_real_checkpoint(tmp_path):
    path, _ = weights(tmp_path)
    rules = {"unwrap": ["ema"], "keep": "net."}
    network = load_network(card(state=rules), path)
    assert torch.equal(network.state_dict()["project.weight"], state()["project.weight"])
    with pytest.raises(UserError, match="keys are missing"):
        load_network(card(**REAL, state=rules), path)


@pytest.mark.parametrize("arguments", [{"wdths": [4, 4, 4, 4]}, {"widths": [4, 4]}])
def test_arguments_that_do_not_fit_are_named(arguments):
    with pytest.raises(UserError, match=r"model 'mine': arguments \{.*\} do not fit small-iresnet \("):
        build_network(card(arguments=arguments))


def test_arguments_of_the_player_are_kept_from_the_network():
    taken = {name for name, architecture in PUBLISHED.items() if architecture.player_arguments}
    assert taken
    for name in taken:
        arguments = dict.fromkeys(ARCHITECTURES[name].player_arguments, 1)
        with torch.device("meta"):
            build_network(card(architecture=name, arguments=arguments))


def test_constants_that_no_checkpoint_holds_are_those_of_the_constructor(tmp_path, constants):
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    network = load_network(card(arguments={}), path)
    assert network.weight.tolist() == [1, 1]
    assert network.scale.tolist() == [7, 7]


def test_buffers_that_a_checkpoint_may_lack_are_those_of_the_constructor_in_every_process(tmp_path, constants):
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    mine = card(arguments={"waves": True}, **REAL, state=StateRules(allow_missing=("waves",)))
    before = torch.random.get_rng_state()
    first = load_network(mine, path).waves
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(load_network(mine, path).waves, first)
    assert first.std() > 0


def test_weights_that_a_checkpoint_lacks_are_refused_whatever_the_rules_say(tmp_path, constants):
    path = tmp_path / "w.safetensors"
    save_file({}, path)
    with pytest.raises(
        UserError, match=r"1 missing weights would be random, which allow_missing cannot allow \(weight\)"
    ):
        load_network(card(arguments={}, **REAL, state=StateRules(allow_missing=("weight",))), path)


def test_a_player_runs_as_it_is_told(tmp_path):
    path, _ = weights(tmp_path)
    player = play(card(), path, Execution(precision="bfloat16", micro_batch=3))
    assert player.name == "mine"
    assert player._network.running.micro_batch == 3
    assert next(player._network.module.parameters()).dtype == torch.bfloat16


@pytest.mark.parametrize("name", FULL)
def test_a_published_architecture_takes_its_checkpoint_in_every_wrapper(skeletons, name):
    network, rules = skeletons[name], ARCHITECTURES[name].rules
    own = dict(network.state_dict())
    for wrap in (
        lambda state: state,
        lambda state: {"state_dict": {f"model.{key}": value for key, value in state.items()}},
        lambda state: {"model_state_dict": state, "epoch": 3},
        lambda state: {f"module.{key}": value for key, value in state.items()},
    ):
        found = state_dict_of(wrap(own), rules)
        assert found.keys() == own.keys()
        fit_state(network, found, rules, name)


@pytest.mark.parametrize("name", FULL)
def test_a_published_architecture_refuses_every_other_checkpoint(skeletons, name):
    rules = ARCHITECTURES[name].rules
    # CR-FIQA's trunk is a recognition network, whose rules leave the quality head over; ViT-FIQA's is read both ways.
    # Norms are those of recognition networks.
    twins = dict.fromkeys(INSIGHTFACE, INSIGHTFACE | {"fiqa-iresnet"})
    twins |= dict.fromkeys(ADAFACE, ADAFACE) | dict.fromkeys(VIT, VIT)
    fitting = {name} | twins.get(name, set())
    for other, skeleton in skeletons.items():
        if other not in fitting:
            with pytest.raises(UserError, match=f"{other} does not fit its architecture: .*keys are missing"):
                fit_state(skeletons[name], state_dict_of(skeleton.state_dict(), rules), rules, other)


def test_random_weights_need_no_network_in_memory(skeletons):
    skeleton = skeletons["small-iresnet"]
    assert all(value.is_meta for value in skeleton.state_dict().values())
    found = random_state(skeleton, 0)
    assert not any(value.is_meta for value in found.values())
    fit_state(build_network(card(arguments={})), found, StateRules(), "random")
