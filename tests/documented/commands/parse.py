"""Finds the commands that the documents show: lines of code blocks, and code spans in prose and tables."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAMS = ("synfiqa", "uv", "python", "pip", "ray", "bash", "export")
SHELL = ("", "sh", "bash", "console")
"""Languages of code blocks whose lines may be commands; blocks without a language hold drawings and listings too."""
_FENCE = re.compile(r"^( *)```(\w*)( title=\"[^\"\n]*\")?\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")
_COMMAND = re.compile(rf"^(?:[A-Z_]+=\S+ )*(?:{'|'.join(PROGRAMS)}) ")


@dataclass(frozen=True)
class Shown:
    """A command, or a block of Python, as a document shows it, and where."""

    document: str
    text: str
    python: bool = False


def pages() -> list[Path]:
    """Return README, CONTRIBUTING and every page of docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shown() -> list[Shown]:
    """Return every command of every page, in order."""
    return [command for page in pages() for command in of_page(page)]


def of_page(page: Path) -> list[Shown]:
    """Return the commands of a page: those of its blocks, then those of its prose."""
    return of_text(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix())


def of_text(text: str, document: str) -> list[Shown]:
    """Return the commands of a text."""
    found = []
    for _, language, title, code in _FENCE.findall(text):
        # A block with a title is a file or a diff, which tests/documented/extending reads.
        if title:
            continue
        if language == "python":
            found.append(Shown(document, textwrap.dedent(code), python=True))
        elif language in SHELL:
            found += [Shown(document, command) for command in _of_block(textwrap.dedent(code))]
    prose = _FENCE.sub("", text)
    return found + [Shown(document, " ".join(span.split())) for span in _SPAN.findall(prose)]


def _of_block(code: str) -> list[str]:
    """Return the commands of a block; lines that set variables belong to the command after them."""
    commands: list[str] = []
    exports: list[str] = []
    for line in code.splitlines():
        line = re.sub(r"\s{2,}#.*$", "", line).strip()
        if not _COMMAND.match(line):
            continue
        exports.append(line)
        if not line.startswith("export "):
            commands.append("\n".join(exports))
            exports = []
    return commands + exports
