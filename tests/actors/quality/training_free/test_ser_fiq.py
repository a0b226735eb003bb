"""SER-FIQ: one trunk and many masks give what a loop of masked passes gives, for any size of batch."""

import itertools
import math

import numpy as np
import pytest
import torch

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.quality.training_free.ser_fiq import SerFiq, mean_distances
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed, generator
from tests.actors.quality.training_free.tiny import IRESNET, faces, network, opened, quality_card

PASSES = 6
CARD = quality_card("ser-fiq", passes=PASSES, seed=2, dropout=0.5)


def plain_score(module, x, masks):
    """2 / (1 + exp(mean distance)) by one pass a mask."""
    vectors = []
    for mask in masks:
        with torch.no_grad():
            features = module.bn2(module.feature_map(x[None])).flatten(1)
            vector = module.features(module.fc(features * mask / 0.6))[0].double()
        vectors.append(vector / vector.norm())
    apart = [float((a - b).norm()) for a, b in itertools.combinations(vectors, 2)]
    return 2 / (1 + math.exp(sum(apart) / len(apart)))


def test_scores_are_those_of_a_loop_over_masks(tmp_path):
    model, images = network(tmp_path, **IRESNET), faces(3)
    found = opened(model)
    drawn = generator(derive_seed(2, "ser-fiq")).random((PASSES, 8 * 7 * 7), dtype=np.float32)
    masks = torch.from_numpy((drawn >= 0.4).astype(np.float32))
    expected = [plain_score(found.module, x, masks) for x in network_input(images, model.card)]
    scores = SerFiq(CARD, found).score(images)
    assert scores == pytest.approx(expected, abs=1e-5)
    assert ((scores > 0) & (scores < 1)).all()
    assert SerFiq(CARD, opened(model, 1)).score(images) == pytest.approx(scores, rel=1e-5)
    assert not np.array_equal(SerFiq(quality_card("ser-fiq", passes=PASSES, seed=3), found).score(images), scores)


def test_a_network_without_dropout_takes_the_share_of_the_card(tmp_path):
    found, images = opened(network(tmp_path)), faces(2)
    strong = SerFiq(quality_card("ser-fiq", passes=PASSES, dropout=0.8), found).score(images)
    assert (SerFiq(quality_card("ser-fiq", passes=PASSES, dropout=0.1), found).score(images) > strong).all()


def test_the_distance_is_the_mean_over_pairs():
    vectors = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]])
    assert mean_distances(vectors).tolist() == pytest.approx([(5 + 1 + math.sqrt(18)) / 3])


def test_a_network_that_does_not_end_with_a_linear_layer_is_refused(tmp_path):
    found = opened(network(tmp_path, **IRESNET))
    plain = found.module.forward
    found.module.forward = lambda x: 2 * plain(x)
    with pytest.raises(UserError, match="mine does not end with a Linear layer"):
        SerFiq(CARD, found)
