"""The list of documented commands (commands.yaml): what becomes of each, and the line that is run for it."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import yaml

LIST = Path(__file__).parents[1] / "commands.yaml"


@dataclass(frozen=True)
class Entry:
    """One command of the list; exactly one of `line`, `ci` and `not_run` is filled."""

    command: str
    line: str = ""
    code: int = 0
    quick: bool = False
    small: bool = False
    after: tuple[str, ...] = ()
    ci: str = ""
    not_run: str = ""
    last: date | None = None


def normal(text: str, python: bool = False) -> str:
    """Return the name of a command in the list: without `uv run`; the first line of a block of Python."""
    if python:
        return next(line for line in text.splitlines() if line.strip())
    return re.sub(r"^(pip install -q uv && )?uv run (?!--)", "", text)


@cache
def entries() -> tuple[Entry, ...]:
    """Return the list in its order; ValueError for an entry that is none."""
    content = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return tuple(_entry(fields, content["placeholders"]) for fields in content["commands"])


@cache
def mentions() -> frozenset[str]:
    """Return the spans of prose that only name a job."""
    return frozenset(yaml.safe_load(LIST.read_text(encoding="utf-8"))["mentions"])


def filled(text: str, placeholders: dict[str, str]) -> str:
    """Return the text with each placeholder replaced where it stands as a word of its own."""
    for word, value in placeholders.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])", value, text)
    return text


def _entry(fields: dict, placeholders: dict[str, str]) -> Entry:
    known = {"command", "run", "with", "code", "quick", "after", "ci", "not_run", "date"}
    kinds = fields.keys() & {"run", "ci", "not_run"}
    if len(kinds) != 1 or fields.keys() - known or ("not_run" in fields) != ("date" in fields):
        raise ValueError(f"{LIST.name}: {fields.get('command')!r} needs one of run, ci and not_run (with a date)")
    command, run = fields["command"], fields.get("run", "")
    line = filled(command, placeholders) if run is True else run
    return Entry(
        command=command,
        line=f"{line} {fields['with']}" if "with" in fields else line,
        code=fields.get("code", 0),
        quick=fields.get("quick", False),
        small="with" in fields,
        after=tuple(fields.get("after", ())),
        ci=fields.get("ci", ""),
        not_run=fields.get("not_run", ""),
        last=fields.get("date"),
    )
