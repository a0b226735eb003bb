import hashlib
import json
from collections import Counter

import pytest
from pydantic import ValidationError

from synfiqa.actors.generation.controlled_diffusion.layout import LAYOUTS
from synfiqa.actors.generation.controlled_diffusion.prompts import OCCLUSIONS, SUFFIXES, PromptBook
from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_tokenizer
from synfiqa.actors.image_text.captions import REFERENCE_CAPTION


def test_the_list_has_the_published_weights():
    weights = Counter(SUFFIXES)
    assert (len(SUFFIXES), len(weights), list(weights.values()).count(2)) == (90, 69, 21)
    assert max(weights.values()) == 2
    assert [weights[one] for one in ("", *OCCLUSIONS)] == [1] * 4
    assert sum(weights[one] for one in weights if one and one not in OCCLUSIONS) == 86


def test_the_reference_prompt_is_the_reference_caption():
    assert PromptBook().reference == REFERENCE_CAPTION
    assert PromptBook().prompt("reference", 0, 7, "corrected") == REFERENCE_CAPTION


def test_as_released_ninety_degraded_samples_have_reference_prompts():
    book = PromptBook()
    faithful = [book.prompt("degraded", index, index, "faithful") for index in range(100)]
    corrected = [book.prompt("degraded", index, index, "corrected") for index in range(100)]
    assert faithful[:90] == [book.reference] * 90
    assert book.reference not in corrected
    assert faithful[90:] == corrected[90:]
    assert book.prompt("degraded", 2, 3, "faithful", released=2) == book.degraded(3)


def test_a_seed_draws_by_weight():
    book = PromptBook()
    drawn = Counter(book.degraded(seed) for seed in range(9000))
    assert drawn.keys() == {f"{book.stem} {suffix}".strip() for suffix in SUFFIXES}
    assert drawn[f"{book.stem} in a cave"] == pytest.approx(200, abs=60)
    assert drawn[f"{book.stem} in snow"] == pytest.approx(100, abs=45)
    assert drawn[book.stem] == pytest.approx(100, abs=45)
    assert [book.degraded(seed) for seed in range(9)] == [PromptBook().degraded(seed) for seed in range(9)]


def test_a_custom_book():
    book = PromptBook(reference="sharp", stem="face", suffixes=("", "in fog", "in fog"), negative="art")
    assert book.all_prompts() == ["sharp", "art", "face", "face in fog"]
    with pytest.raises(ValidationError):
        PromptBook(suffixes=())


def test_the_texts_of_rehearsed_tokenizers_are_frozen(tmp_path):
    # Whoever changes what is written here raises REHEARSAL_VERSION: nodes have it in their caches.
    write_tokenizer(tmp_path, LAYOUTS["tiny"].text["vocab_size"], PromptBook())
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(tmp_path.iterdir())]
    assert digests == ["1452a817fc231ffe", "fcc42a9d4b604828"]


def test_a_text_on_the_card_reaches_the_rehearsed_tokenizer(tmp_path):
    write_tokenizer(tmp_path, LAYOUTS["tiny"].text["vocab_size"], PromptBook(stem="a zebra"))
    assert "zebra</w>" in json.loads((tmp_path / "vocab.json").read_text())
