import pytest

from synfiqa.actors.image_text.captions import REFERENCE_CAPTION, vocabulary
from synfiqa.actors.image_text.word_pieces import SPECIAL, bert_vocabulary


@pytest.mark.parametrize("size", [1000, 30_522])
def test_tokens_have_the_requested_number_and_differ(size):
    tokens = bert_vocabulary(size)
    assert len(tokens) == len(set(tokens)) == size
    assert {token: tokens.index(token) for token in SPECIAL} == SPECIAL
    assert not any("\n" in token or " " in token for token in tokens)


def test_caption_words_are_whole_and_any_word_can_be_spelled():
    tokens = set(bert_vocabulary(1000))
    assert set(vocabulary()) | set(REFERENCE_CAPTION.split()) <= tokens
    assert all({letter, f"##{letter}"} <= tokens for letter in "abcdefghijklmnopqrstuvwxyz0123456789")
    assert set(".,;:!?'\"-()") <= tokens


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="no room"):
        bert_vocabulary(200)
