"""Links, paths and module names in Markdown files exist."""

import re
from pathlib import Path
from typing import get_args

import pytest

from synfiqa.schemas.plugins import Group

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.-]+(/[\w.-]+)*/[\w.-]+\.(py|yaml|toml|md)")
FOLDER = re.compile(r"(synfiqa|jobs|fiqa_train|actors|cluster|schemas|tests|benchmarks|configs|docs)(/[\w-]+)+/?")
GROUPS = get_args(Group)
"""Entry points are named like modules."""
MODULE = re.compile(r"\b(?:synfiqa|benchmarks|tests)(?:\.[a-z]\w*)+")


def anchors(page: Path) -> set[str]:
    """Anchors of headings as the common renderers make them: lower case, no punctuation, hyphens for spaces."""
    titles = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def without_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def without_diffs(text: str) -> str:
    """Leave out diffs, which add the modules that they name; tests/documented/extending applies them."""
    return re.sub(r"^```diff .*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def broken(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = []
    for target in LINK.findall(without_blocks(text)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(target)
    for code in CODE.findall(without_blocks(text)):
        whole = FILE.fullmatch(code) or FOLDER.fullmatch(code)
        if whole and not (ROOT / code).exists() and not (page.parent / code).exists():
            found.append(code)
    named = MODULE.findall(without_diffs(text))
    return found + [name for name in named if name not in GROUPS and not is_module(name)]


def is_module(name: str) -> bool:
    """Whether a dotted name is a module, a package, or a name defined in one."""
    path = ROOT.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    parent = path.parent / "__init__.py" if path.parent.is_dir() else path.parent.with_suffix(".py")
    return parent.is_file() and re.search(rf"\b{path.name}\b", parent.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_paths_and_modules_exist(page):
    if page.name != "CHANGELOG.md":  # it names files of older versions
        assert broken(page) == []


def test_a_broken_one_of_each_kind_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One title\n[good](#one-title) [a](gone.md) [b](#gone) `cluster/gone.py` `fiqa_train/gone` `cluster/run`\n"
        "```\npython -m benchmarks.gone.faces\n```\n",
        encoding="utf-8",
    )
    assert broken(page) == ["gone.md", "#gone", "cluster/gone.py", "fiqa_train/gone", "benchmarks.gone.faces"]
