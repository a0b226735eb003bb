import hashlib

import pytest

from synfiqa.actors.image_text.word_pieces import SPECIAL, WORDS, bert_vocabulary, rehearsal_words
from synfiqa.actors.model_store.checks.canary import CAPTION


@pytest.mark.parametrize("size", [1000, 30_522])
def test_tokens_have_the_requested_number_and_differ(size):
    tokens = bert_vocabulary(size)
    assert len(tokens) == len(set(tokens)) == size
    assert {token: tokens.index(token) for token in SPECIAL} == SPECIAL
    assert not any("\n" in token or " " in token for token in tokens)


def test_rehearsed_words_are_whole_and_any_word_can_be_spelled():
    tokens = set(bert_vocabulary(1000))
    assert set(rehearsal_words()) | set(CAPTION.split()) <= tokens
    assert all({letter, f"##{letter}"} <= tokens for letter in "abcdefghijklmnopqrstuvwxyz0123456789")
    assert set(".,;:!?'\"-()") <= tokens


def test_the_words_of_rehearsals_are_frozen():
    # Whoever changes them raises REHEARSAL_VERSION and records the canaries of configs/models-test.yaml again.
    assert len(rehearsal_words()) == 97
    assert rehearsal_words() == sorted(set(rehearsal_words()))
    assert hashlib.sha256(WORDS.read_bytes()).hexdigest()[:16] == "582902ff96226929"
    joined = "\n".join(bert_vocabulary(30_522)).encode()
    assert hashlib.sha256(joined).hexdigest()[:16] == "55a700f40796ea8a"


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="no room"):
        bert_vocabulary(200)
