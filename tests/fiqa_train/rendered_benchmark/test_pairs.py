"""The fixed comparisons."""

from collections import Counter

import numpy as np

from synfiqa.fiqa_train.rendered_benchmark.pairs import fixed_pairs, pair_positions
from synfiqa.fiqa_train.rendered_benchmark.plan import Settings


def rows_of(identities, references=2, probes=3):
    return [
        {"path": f"{person}/{role}{index}", "identity": person, "role": role}
        for person in range(identities)
        for role, count in (("reference", references), ("probe", probes))
        for index in range(count)
    ]


def person(path):
    return int(path.partition("/")[0])


def test_every_probe_meets_its_own_references_and_some_others():
    settings = Settings(identities=8, impostors=5)
    pairs = fixed_pairs(settings, rows_of(8)).to_pylist()
    assert all((person(p["probe"]) == person(p["reference"])) == p["genuine"] for p in pairs)
    assert all("probe" in p["probe"] and "reference" in p["reference"] for p in pairs)
    assert Counter(p["probe"] for p in pairs if p["genuine"]) == {
        f"{i}/probe{k}": 2 for i in range(8) for k in range(3)
    }
    others = {p["probe"]: set() for p in pairs}
    for pair in pairs:
        if not pair["genuine"]:
            others[pair["probe"]].add(person(pair["reference"]))
    assert {len(found) for found in others.values()} == {5}, "none twice"
    assert len({frozenset(found) for found in others.values()}) > 5, "not always the same"


def test_with_few_people_every_other_one_is_met():
    pairs = fixed_pairs(Settings(identities=3), rows_of(3)).to_pylist()
    assert sum(not pair["genuine"] for pair in pairs) == 3 * 3 * 2


def test_the_seed_alone_decides():
    rows = rows_of(9)
    settings = Settings(identities=9, impostors=3)
    assert fixed_pairs(settings, rows).equals(fixed_pairs(settings, rows))
    assert not fixed_pairs(settings, rows).equals(fixed_pairs(settings.model_copy(update={"seed": 1}), rows))


def test_positions():
    rows = rows_of(3)
    paths = [row["path"] for row in rows]
    table = pair_positions(fixed_pairs(Settings(identities=3), rows), paths)
    owner = np.array([row["identity"] for row in rows])
    assert ((owner[table.first] == owner[table.second]) == table.genuine).all()
    assert {rows[index]["role"] for index in table.first} == {"reference"}
    assert {rows[index]["role"] for index in table.second} == {"probe"}
