"""The canaries of configs/ are not stale: what they rest on is what it was when they were recorded."""

import re
from pathlib import Path

import numpy as np
import pytest

from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.checks import canary_inputs
from synfiqa.actors.model_store.checks.canary_inputs import inputs_digest
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.schemas.model_card import ModelCard
from tests.actors.model_store.cards import model

CONFIGS = Path(__file__).parents[4] / "configs"
RECORDED = [
    pytest.param(path, entry, id=f"{path.stem}-{entry.name}")
    for path in sorted(CONFIGS.glob("models-*.yaml"))
    for entry in Catalogue.load(str(path)).own()
    if entry.card.canary
]
LIGHT = ("random-6drepnet360", "random-adaface-ir18", "random-facenet", "random-facenet-unit")
"""Cards whose random weights are made and tried in seconds; `python -m tests.documented` tries all."""
TINY_BLIP = {
    "name": "tiny-blip",
    "role": "image_text",
    "architecture": "blip-itc",
    "arguments": {"size": "tiny"},
    "source": "random:0",
    "input_size": 48,
    "channels": "rgb",
    "value_range": None,
    "normalise": "clip",
    "resize": "bicubic",
    "output": "cosine of image and caption, -1..1",
    "licence": "Apache-2.0 (random numbers)",
    "commercial_use": True,
    "canary": [0.0509922, 0.0614851],
}
"""As `random-blip`, small: its vocabulary is made in the same way."""


def beside(path: Path, name: str) -> str:
    """Return the digest that the catalogue writes behind the canary of a card."""
    card = path.read_text(encoding="utf-8").partition(f"\n  {name}:\n")[2].partition("\n  random-")[0]
    found = re.search(r"^    canary: \[.*\]  # inputs ([0-9a-f]+)$", card, re.MULTILINE)
    assert found, f"{name}: write the line that `synfiqa models check {path.name} --record` prints"
    return found[1]


@pytest.mark.parametrize(("path", "entry"), RECORDED)
def test_what_a_canary_rests_on_has_not_changed_since_it_was_recorded(path, entry):
    assert inputs_digest(entry) == beside(path, entry.name), (
        "random weights, pictures, caption or network changed: raise REHEARSAL_VERSION if weights did, "
        f"look at the results, and record with `synfiqa models check configs/{path.name} --record`"
    )


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_card_still_answers_as_recorded(tmp_path, name):
    catalogue = Catalogue.load(str(CONFIGS / "models-test.yaml"), cache=str(tmp_path))
    assert check_model(catalogue.model(name)).problems == []


def test_a_rehearsed_vocabulary_still_gives_the_recorded_answer(tmp_path):
    card = ModelCard(**TINY_BLIP)
    assert check_model(Model(card, card.source, cache=str(tmp_path))).problems == []


def changed_words():
    return ["another", "vocabulary"]


@pytest.mark.parametrize("change", ["words", "values", "pictures", "caption", "landmarks", "network", "card", "seed"])
def test_every_input_of_a_canary_moves_its_digest(monkeypatch, tmp_path, change):
    card = ModelCard(**TINY_BLIP)
    blip = Model(card, card.source)
    chosen = blip if change == "words" else model(tmp_path)
    before = inputs_digest(chosen)
    if change == "words":
        monkeypatch.setattr("synfiqa.actors.image_text.word_pieces.rehearsal_words", changed_words)
    elif change == "values":
        made = canary_inputs.random_tensors
        monkeypatch.setattr(canary_inputs, "random_tensors", lambda shapes, seed: made(shapes, seed + 1))
    elif change == "pictures":
        drawn = canary_inputs.canary_images
        monkeypatch.setattr(canary_inputs, "canary_images", lambda side: drawn(side=side) // 2)
    elif change == "caption":
        monkeypatch.setattr(canary_inputs, "CAPTION", "another")
    elif change == "landmarks":
        monkeypatch.setattr(canary_inputs, "LANDMARKS", canary_inputs.LANDMARKS + np.float32(1))
    else:
        changes = {
            "network": {"arguments": {**chosen.card.arguments, "embedding_dim": 16}},
            "card": {"resize": "bicubic"},
            "seed": {"source": "random:1"},
        }[change]
        chosen = model(tmp_path, **changes)
    assert inputs_digest(chosen) != before


def test_a_canary_that_is_stale_is_seen(tmp_path):
    card = ModelCard(**TINY_BLIP | {"canary": [0.5, 0.5]})
    assert "its answer to the canary is not the one" in check_model(Model(card, card.source, str(tmp_path))).problems[0]


def test_random_weights_with_frozen_text_have_a_cache_folder_of_their_edition(tmp_path):
    card = ModelCard(**TINY_BLIP)
    entry = Model(card, card.source, cache=str(tmp_path))
    edition = ARCHITECTURES["blip-itc"].edition
    assert locate(entry).parent.name.endswith(f"-{edition}")
