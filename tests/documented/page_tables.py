"""Tables that stand in pages between `<!-- NAME: ... -->` and `<!-- end -->`, and the command that makes them anew."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| ---", "|---").replace("--- |", "---|")


def with_table(page: str, name: str, made: str, where: Path) -> str:
    """Return the page with the table of that name replaced; ValueError when it lacks the place."""
    place = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
    page, count = place.subn(lambda match: f"{match[1]}\n{made}\n{match[2]}", page)
    if count != 1:
        raise ValueError(f"{where} needs one place '<!-- {name}: ... -->' and '<!-- end -->'")
    return page


def write_or_compare(path: Path, written: Callable[[str], str], description: str, module: str) -> None:
    """Write a page made anew with `--write`; without it exit with 1 when the page is stale."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", action="store_true", help="write it into the page")
    page = path.read_text(encoding="utf-8")
    fresh = written(page)
    if parser.parse_args().write:
        path.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        sys.exit(f"docs/{path.name} is stale: python -m {module} --write")
