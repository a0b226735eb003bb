"""Makes a BERT word-piece vocabulary, for rehearsals of models whose real one comes with their weights."""

import string
from collections.abc import Iterator
from itertools import islice, product

from synfiqa.actors.image_text.captions import vocabulary

SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
"""Tokens whose ids BERT fixed; the numbers between them are unused."""


def bert_vocabulary(size: int) -> list[str]:
    """Return `size` different tokens that cut any English caption into pieces without an unknown one.

    The words of this project's captions are whole; others are cut into letters, pairs and triples. ValueError when
    there is no room for all single characters and those words.
    """
    places = {place: token for token, place in SPECIAL.items()}
    fixed = [places.get(place, f"[unused{place}]") for place in range(max(places) + 1)]
    tokens = list(islice(_unique([*fixed, *_characters(), *vocabulary()]), size))
    if not set(vocabulary()) <= set(tokens):
        raise ValueError(f"a vocabulary of {size} tokens has no room for every letter and caption word")
    return list(islice(_unique([*tokens, *_groups()]), size))


def _characters() -> list[str]:
    alphanumeric = string.digits + string.ascii_lowercase
    return [*string.punctuation, *alphanumeric, *(f"##{letter}" for letter in alphanumeric)]


def _groups() -> Iterator[str]:
    for length in (2, 3):
        for letters in product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)
            yield "##" + "".join(letters)


def _unique(tokens: list[str]) -> Iterator[str]:
    return iter(dict.fromkeys(tokens))
