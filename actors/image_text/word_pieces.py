"""Makes a BERT word-piece vocabulary, for rehearsals of models whose real one comes with their weights.

Its words are frozen in `rehearsal_words.txt`: outputs of random weights depend on token numbers, so that a caption
reworded elsewhere would otherwise change them for every rehearsed model. A change of the file needs a higher
REHEARSAL_VERSION and new canaries.
"""

import string
from collections.abc import Iterable, Iterator
from itertools import islice, product
from pathlib import Path

WORDS = Path(__file__).with_name("rehearsal_words.txt")
"""File of the words that rehearsed vocabularies hold whole, one a line."""

SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
"""Tokens whose ids BERT fixed; the numbers between them are unused."""


def rehearsal_words() -> list[str]:
    """Return the frozen words, sorted."""
    return WORDS.read_text(encoding="ascii").split()


def bert_vocabulary(size: int) -> list[str]:
    """Return `size` different tokens that cut any English caption into pieces without an unknown one.

    The frozen words are whole; others are cut into letters, pairs and triples. ValueError when there is no room for
    all single characters and those words.
    """
    places = {place: token for token, place in SPECIAL.items()}
    fixed = [places.get(place, f"[unused{place}]") for place in range(max(places) + 1)]
    words = rehearsal_words()
    tokens = list(islice(_unique([*fixed, *_characters(), *words]), size))
    if not set(words) <= set(tokens):
        raise ValueError(f"a vocabulary of {size} tokens has no room for every letter and rehearsed word")
    return list(islice(_unique([*tokens, *_groups()]), size))


def _characters() -> list[str]:
    alphanumeric = string.digits + string.ascii_lowercase
    return [*string.punctuation, *alphanumeric, *(f"##{letter}" for letter in alphanumeric)]


def _groups() -> Iterator[str]:
    for length in (2, 3):
        for letters in product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)
            yield "##" + "".join(letters)


def _unique(tokens: Iterable[str]) -> Iterator[str]:
    return iter(dict.fromkeys(tokens))
