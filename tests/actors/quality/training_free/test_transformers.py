"""ViTNT-FIQA and ATTN-FIQA read a vision transformer as plain loops do; other networks are refused by name."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.quality.training_free.attention_scores import AttentionScores, mean_score
from synfiqa.actors.quality.training_free.token_drift import TokenDrift
from synfiqa.schemas.errors import UserError
from tests.actors.model_store.cards import SMALL, catalogue
from tests.actors.quality.training_free.tiny import VIT, faces, network, opened, quality_card


def plain_drift(module, x):
    with torch.no_grad():
        tokens = torch.cat([module.qs_token, module.patch_embed(x[None])], dim=1) + module.pos_embed
        units = []
        for block in module.blocks:
            tokens = block(tokens)
            unit = module.norm(tokens)[0, 1:].double()
            units.append(unit / unit.norm(dim=1, keepdim=True))
    patches = [
        np.mean([float((after[p] - before[p]).norm()) for before, after in pairwise(units)])
        for p in range(len(units[0]))
    ]
    return np.mean([2 / (1 + np.exp(8 * distance)) for distance in patches])


def test_token_drift_is_that_of_a_loop(tmp_path):
    model, images = network(tmp_path, **VIT), faces(3)
    found = opened(model)
    scores = TokenDrift(quality_card("vitnt"), found).score(images)
    assert scores == pytest.approx([plain_drift(found.module, x) for x in network_input(images, model.card)], rel=1e-4)
    assert ((scores >= 0) & (scores <= 1)).all()
    again = TokenDrift(quality_card("vitnt"), opened(model, 1)).score(images)
    assert again == pytest.approx(scores, rel=1e-4)


def test_attention_is_the_mean_of_all_products(tmp_path):
    draw = torch.randn(2, 5, 3 * 8, generator=torch.Generator().manual_seed(0))
    q, k, _ = draw.double().reshape(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
    whole = (q @ k.transpose(-1, -2) * 4**-0.5).mean(dim=(1, 2, 3))
    assert mean_score(draw, 2).tolist() == pytest.approx(whole.tolist(), rel=1e-9)
    model, images = network(tmp_path, **VIT), faces(3)
    scores = AttentionScores(quality_card("attn"), opened(model)).score(images)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    assert AttentionScores(quality_card("attn"), opened(model, 1)).score(images) == pytest.approx(scores, rel=1e-4)


@pytest.mark.parametrize("name", ["vitnt", "attn"])
def test_they_are_scorers_of_a_transformer_and_refuse_others(tmp_path, name):
    with pytest.raises(UserError, match=rf"scorer '{name}' reads the tokens of a vision transformer and bundled-a"):
        scorers_of([name], ScorerSettings(), {}, "evaluate.scorers")
    own = catalogue(tmp_path, mine=SMALL | VIT)
    settings = ScorerSettings(own, "mine")
    assert np.isfinite(scorers_of([name], settings, {}, "evaluate.scorers")[name].score(faces(2))).all()
