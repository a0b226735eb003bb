"""docs/scorers.md lists every scorer of the registry and every card of configs/models/quality/, as they are."""

import re

import yaml

from synfiqa.actors.quality.registry import SCORERS
from tests.documented.scorers_table import FOLDER, PAGE, READS, SUPPLIED, rows, written

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_is_that_of_registry_and_cards():
    assert written(TEXT) == TEXT, "python -m tests.documented.scorers_table --write"


def test_every_scorer_has_one_row_with_all_that_it_needs():
    published = [name for path in sorted(FOLDER.glob("*.yaml")) for name in yaml.safe_load(path.read_text())["models"]]
    names = [row[0].strip("`") for row in rows()]
    assert names == [*SCORERS, *published]
    assert len(set(names)) == len(names)
    for name, row in zip(names, rows(), strict=True):
        assert all(row[index] for index in (1, 2, 3, 5)), name
        assert bool(row[4]) == (name not in SUPPLIED), name
    assert SUPPLIED.keys() == {name for name, row in SCORERS.items() if not row.factory}
    assert {row[1] for row in rows() if row[0].strip("`") in SCORERS} <= {*READS.values(), *SUPPLIED.values()}


def test_every_file_that_the_page_links_is_there():
    links = re.findall(r"\]\((\.\./configs/[^)#]+)\)", TEXT)
    assert {path.name for path in FOLDER.glob("*.yaml")} <= {link.rpartition("/")[2] for link in links}
    assert all((PAGE.parent / link).exists() for link in links)
