"""Factor prompts are the softmax over all captions, summed; any open_clip network plays them."""

from itertools import product

import numpy as np
import pytest

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.quality.trained.factor_prompts import CAPTION, FACTORS, LEVELS
from synfiqa.schemas.errors import UserError
from tests.actors.model_store.cards import SMALL, model

CLIP = SMALL | {
    "role": "quality",
    "architecture": "factor-prompts",
    "arguments": {
        "config": {
            "embed_dim": 8,
            "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
            "text_cfg": {"context_length": 48, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
        },
        "scale": 20.0,
    },
    "input_size": 32,
    "channels": "rgb",
    "normalise": "clip",
    "higher_is_better": True,
}
"""A dual encoder of some hundred thousand parameters, nearly all of them its table of words."""
IMAGES = canary_images(3)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    made = model(tmp_path_factory.mktemp("clip"), **CLIP)
    return play(made.card, locate(made))


def test_scores_are_the_expected_level_over_all_captions(scorer):
    words = list(product(*FACTORS.values()))
    assert len(words) == 360
    captions = [CAPTION.format(*entry) for entry in words]
    assert captions[-1] == (
        "a photo of a clear, unobstructed, and frontal face with typical expression under normal lighting, "
        "which is of perfect quality"
    )
    logits = 20 * scorer._network.similarities(IMAGES, captions).astype(np.float64)
    levels = list(FACTORS["quality"])
    for image, row in enumerate(logits):
        shares = [np.exp(value) for value in row]
        wanted = sum(share * LEVELS[levels.index(entry[-1])] for share, entry in zip(shares, words, strict=True))
        assert scorer.score(IMAGES)[image] == pytest.approx(wanted / sum(shares), rel=1e-5)
    assert np.ptp(scorer.score(IMAGES)) > 0
    assert scorer.score(IMAGES[:0]).shape == (0,)


def test_each_factor_has_a_probability_for_each_word(scorer):
    found = scorer.factors(IMAGES)
    assert found.keys() == FACTORS.keys()
    for name, words in FACTORS.items():
        assert found[name].shape == (3, len(words))
        assert found[name].sum(axis=1) == pytest.approx(1)


def test_the_card_reaches_the_network(scorer):
    before, card = scorer.score(IMAGES), scorer.card
    scorer.card = card.model_copy(update={"channels": "bgr"})
    try:
        assert np.abs(scorer.score(IMAGES) - before).max() > 1e-7
    finally:
        scorer.card = card


def test_arguments_that_do_not_fit_are_named(tmp_path):
    made = model(tmp_path, **CLIP | {"arguments": {"scale": 20.0}})
    with pytest.raises(UserError, match="either model, such as ViT-B-32, or config"):
        locate(made)
    wrong = made.card.model_copy(update={"arguments": {"scale": 0, "model": "RN50"}})
    with pytest.raises(UserError, match="scale"):
        play(wrong, tmp_path)
