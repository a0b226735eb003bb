"""docs/config.md is that of the tree, and every key of the tree has a meaning there."""

import pytest

from synfiqa.schemas.config.run import RunConfig
from tests.documented import config_page
from tests.documented.config_page import bounds_in_words, leaves, sections, type_in_words

SECTIONS = dict(sections(RunConfig))
FIELDS = {f"{path}.{name}": field for path, section in SECTIONS.items() for name, field in leaves(section)}


def test_the_page_is_current():
    written = config_page.PAGE.read_text(encoding="utf-8")
    assert written == config_page.page(), "python -m tests.documented.config_page --write"


def test_every_field_has_a_description():
    assert [key for key, field in FIELDS.items() if not (field.description or "").strip()] == []
    assert [path for path, section in SECTIONS.items() if not (section.__doc__ or "").strip()] == []


def test_every_key_of_the_tree_is_on_the_page_once_and_in_order():
    text = config_page.PAGE.read_text(encoding="utf-8")
    places = [text.find(f"\n| `{key}` | ") for key in FIELDS]
    assert places == sorted(places)
    assert min(places) > 0
    assert text.count("\n| `") == len(FIELDS)


def test_a_nested_section_follows_the_section_that_holds_it():
    paths = list(SECTIONS)
    first = paths.index("generate")
    nested = ["generate.people", "generate.degraded_distribution", "generate.camera"]
    assert paths[first + 1 : first + 4] == nested
    assert "generate.degraded_distribution" not in FIELDS


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("run.seed", "| integer | `0` | ≥ 0, < 2^63 |"),
        ("train.learning_rate", "| number | `0.001` | > 0, ≤ 10 |"),
        ("label.match_threshold", "| number, `auto` or `null` | `null` | > -1, < 1 |"),
        ("label.embedder", '| name or `""` | `""` | |'),
        ("generate.degraded_distribution.coarse_jpeg", "| pair of integers | `[4, 60]` | |"),
        ("placement.memory_mb", "| mapping of text to integer | `{}` | each ≥ 1 |"),
        ("models.offline", "| `true` or `false` | `true` | |"),
    ],
)
def test_a_row_holds_type_default_and_bounds(key, row):
    assert f"\n| `{key}` {row}" in config_page.page()


def test_lists_are_plural_and_their_lengths_are_bounds():
    pairs = {
        "type": "array",
        "items": {"type": "array", "prefixItems": [{"type": "number"}], "minItems": 1, "maxItems": 1},
    }
    assert type_in_words(pairs) == "list of pairs of numbers"
    assert bounds_in_words({**pairs, "minItems": 10, "maxItems": 10}) == "10 long"
    assert bounds_in_words({"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 1}) == (
        "at least 1 long, each ≥ 0"
    )
