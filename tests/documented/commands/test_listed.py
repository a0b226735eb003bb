"""What is written is run: every command of the documents is in commands.yaml, and every command there in a document."""

import importlib.util
import re
import shlex
from collections import Counter

import pytest

from synfiqa.jobs.cli import build_parser
from tests.documented.__main__ import chosen
from tests.documented.commands.parse import ROOT, of_text, shown
from tests.documented.commands.registry import Entry, entries, filled, mentions, normal

SHOWN = {normal(one.text, one.python): one for one in shown()}
LISTED = {entry.command: entry for entry in entries()}
OURS = [text for text, one in SHOWN.items() if not one.python and "synfiqa " in text and text not in mentions()]
MODULES = sorted({module for text in SHOWN for module in re.findall(r"python -m ([\w.]+)", text)})
PLACES = {"PATH...": "photos", "N": "1", "SHELL": "bash"}
"""Placeholders that the parser wants to have a value."""


def test_every_documented_command_is_listed():
    missing = [f"{one.document}: {text}" for text, one in SHOWN.items() if text not in LISTED.keys() | mentions()]
    assert missing == [], "write into tests/documented/commands.yaml what becomes of these"


def test_every_listed_command_is_in_a_document():
    assert sorted(LISTED.keys() - SHOWN.keys()) == []
    assert sorted(mentions() - SHOWN.keys()) == []


def test_no_command_is_listed_twice():
    assert [name for name, count in Counter(entry.command for entry in entries()).items() if count > 1] == []
    assert LISTED.keys() & mentions() == set()


def test_a_mention_is_a_name_without_values():
    assert [
        name for name in mentions() if not re.fullmatch(r"(synfiqa|ray|uv)( [a-z][a-z-]*)+( --[a-z-]+)?", name)
    ] == []


@pytest.mark.parametrize("text", OURS)
def test_the_words_of_a_documented_command_are_right(text):
    words = shlex.split(filled(text.splitlines()[-1].partition(" | ")[0], PLACES), comments=True)
    if "--version" in words:
        with pytest.raises(SystemExit, match=r"^0$"):
            build_parser().parse_args(words[1:])
    else:
        build_parser().parse_args(words[1:])


@pytest.mark.parametrize("module", MODULES)
def test_a_documented_module_exists(module):
    found = importlib.util.find_spec(module.replace("jobs.", "synfiqa.jobs.") if module.startswith("jobs.") else module)
    assert found is not None


@pytest.mark.parametrize("entry", [entry for entry in entries() if entry.ci], ids=lambda entry: entry.command)
def test_a_command_of_ci_is_run_there(entry):
    path, _, name = entry.ci.partition("::")
    content = (ROOT / path).read_text(encoding="utf-8")
    if name:
        assert f"\ndef {name}(" in content
    else:
        assert path.startswith("tests/") or "uv run pytest" in content


@pytest.mark.parametrize("entry", [entry for entry in entries() if entry.not_run], ids=lambda entry: entry.command)
def test_a_command_that_is_not_run_has_a_result_that_the_page_holds(entry):
    assert len(entry.not_run) > 20
    if pages := re.findall(r"docs/[\w/.-]+\.md", entry.not_run):
        assert all((ROOT / page).exists() for page in pages)


def test_what_a_command_builds_on_is_run_before_it():
    order = [entry.command for entry in entries()]
    for entry in entries():
        assert all(order.index(before) < order.index(entry.command) for before in entry.after)
    assert [entry.command for entry in chosen("benchmark_tables")][-1].startswith("python -m benchmarks.quality")
    assert len(chosen("benchmark_tables")) == 4
    assert chosen("no such command") == []


TEXT = """
Run `synfiqa verify RUN`, or `runs/a`:

```
export A=1
synfiqa run a.yaml        # a remark
noise -> picture
LEVEL=2 python -m x
```

1. In a list:

   ```python
   import x
   ```

```yaml
models: synfiqa run no
```
"""


def test_commands_are_found_in_blocks_and_prose():
    found = [(one.text, one.python) for one in of_text(TEXT, "page.md")]
    assert found == [
        ("export A=1\nsynfiqa run a.yaml", False),
        ("LEVEL=2 python -m x", False),
        ("import x\n", True),
        ("synfiqa verify RUN", False),
    ]


def test_a_command_is_named_without_what_starts_it():
    assert normal("pip install -q uv && uv run pytest") == normal("uv run pytest") == "pytest"
    assert normal("uv run --with x python -m y") == "uv run --with x python -m y"
    assert normal("\nimport x\nprint(x)\n", python=True) == "import x"
    assert filled("a RUN/dead RUNS B", {"RUN": "r", "B": "b"}) == "a r/dead RUNS b"


def test_an_entry_says_one_thing():
    assert Entry("x").line == ""
    assert all(bool(entry.line) + bool(entry.ci) + bool(entry.not_run) == 1 for entry in entries())
