"""Imports point one way: jobs -> fiqa_train -> actors -> cluster -> schemas."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "schemas": {"schemas"},
    "cluster": {"cluster", "schemas"},
    "actors": {"actors", "cluster", "schemas"},
    "fiqa_train": {"fiqa_train", "actors", "cluster", "schemas"},
    "jobs": {"jobs", "fiqa_train", "actors", "cluster", "schemas"},
}


def imported_packages(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names & ALLOWED.keys()


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package):
    for path in (ROOT / package).rglob("*.py"):
        assert imported_packages(path) <= ALLOWED[package], path


def test_files_stay_small():
    sizes = {path: len(path.read_text().splitlines()) for name in ALLOWED for path in (ROOT / name).rglob("*.py")}
    assert {path.name: size for path, size in sizes.items() if size > 420} == {}


@pytest.mark.parametrize("package", ALLOWED)
def test_no_pickle_and_no_unsafe_loading(package):
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text()
        if path.name != "flame_pickle.py":  # the one restricted reader: it builds arrays and plain state, nothing else
            assert not re.search(r"import (pickle|dill|cloudpickle)\b|\bUnpickler\b", text), path
        assert "yaml.load(" not in text, path
        assert "weights_only=False" not in text, path
