"""Bundled cards state what their networks cost."""

import pytest
import torch

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.model_store.loading import load_network

SHAPES = {"bundled-a": (1, 1, 112, 112), "bundled-b": (1, 1, 112, 112), "bundled-quality": (1, 3, 112, 112)}


def test_a_linear_layer_costs_two_operations_a_weight():
    assert gflop(torch.nn.Linear(1000, 500), torch.zeros(1, 1000)) == 1e-3


@pytest.mark.parametrize("name", SHAPES)
def test_the_cost_on_a_bundled_card_is_that_of_its_network(name):
    model = Catalogue.load().model(name)
    network = load_network(model.card, locate(model))
    assert model.card.cost_gflop == pytest.approx(gflop(network, torch.zeros(SHAPES[name])), rel=0.01)


def test_every_bundled_scorer_states_its_cost():
    assert all(model.card.cost_gflop is not None for model in Catalogue.load() if model.card.role == "quality")
