"""Lists the words that can follow at each place of the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synfiqa.jobs.command import LOG, Command, CommandGroup, Entry, Option

PATHS = ("CONFIG", "RUN", "URL", "CATALOGUE", "PATH", "DIR", "FILE")
"""Metavars of values that are files or folders, or may be."""


@dataclass(frozen=True)
class Flag:
    """An option with dashes: `value` is none, words (one of `choices`), path or text (anything)."""

    name: str
    help: str
    value: str = "none"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Commands (name, help), flags and positional values that may follow the words of a command (none at the top)."""

    words: str
    commands: tuple[tuple[str, str], ...] = ()
    flags: tuple[Flag, ...] = ()
    choices: tuple[str, ...] = ()
    paths: bool = False

    def command(self, name: str) -> str:
        """Return the words of a command that may follow."""
        return f"{self.words} {name}".strip()


def places(commands: Sequence[Entry]) -> list[Place]:
    """Return every place, the top one first."""
    return [Place("", _named(commands), _common()), *(found for one in commands for found in _places(one))]


def _places(entry: Entry, before: str = "") -> Iterator[Place]:
    words = f"{before} {entry.name}".strip()
    version = not before
    if isinstance(entry, CommandGroup):
        yield Place(words, _named(entry.actions), _common(version=version))
        for action in entry.actions:
            yield from _places(action, words)
        return
    options: Sequence[Option] = (*entry.options, LOG) if isinstance(entry, Command) else ()
    positional = [option for option in options if not option.names[0].startswith("-")]
    flags = [_flag(option) for option in options if option not in positional]
    choices = tuple(choice for option in positional for choice in option.settings.get("choices", ()))
    paths = any(option.settings.get("metavar") in PATHS for option in positional)
    yield Place(words, (), (*flags, *_common(version=version)), choices, paths)


def _named(entries: Sequence[Entry]) -> tuple[tuple[str, str], ...]:
    return tuple((entry.name, entry.help) for entry in entries)


def _common(*, version: bool = True) -> tuple[Flag, ...]:
    shared = (Flag("--help", "show a help message and exit"), Flag("--version", "print versions and exit"))
    return shared if version else shared[:1]


def _flag(option: Option) -> Flag:
    settings = option.settings
    name, text = option.names[0], settings.get("help", "")
    if settings.get("action") == "store_true":
        return Flag(name, text)
    if choices := settings.get("choices"):
        return Flag(name, text, "words", tuple(choices))
    return Flag(name, text, "path" if settings.get("metavar") in PATHS else "text")
