"""Acceptance by group: candidates of every group are counted, and a filter that rejects one more often is marked."""

import json

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation.identity_half import ledger_counts
from synfiqa.jobs.report_page import data
from synfiqa.jobs.report_page.acceptance_by_group import acceptance_by_group, group_names
from synfiqa.jobs.report_page.data import candidate_frame, opened_units
from synfiqa.jobs.report_page.page import render_page
from synfiqa.schemas.rows import CANDIDATES
from tests.jobs.report_page import synthetic_run


def candidate(number: int, status: str, reason: str = "", **attributes) -> dict:
    return dict.fromkeys(CANDIDATES.names) | {
        "candidate": number,
        "status": status,
        "reason": reason,
        "attributes": json.dumps(attributes),
        "error": "",
    }


def ledger(folder, *units: list[dict]) -> tuple[Storage, ShardStore]:
    """A run whose ledger holds these candidates."""
    storage, run = Storage(str(folder)), synthetic_run.config()
    store = ShardStore(storage, open_run(storage, run, synthetic_run.MODELS).fingerprint)
    for unit, rows in enumerate(units):
        table = pa.Table.from_pylist([row | {"unit": unit} for row in rows], schema=CANDIDATES)
        store.commit("identities", unit, table, ledger_counts(table, replayed=0))
    return storage, store


def found(folder, *units):
    _, store = ledger(folder, *units)
    commits = store.all_committed()
    opened = opened_units(commits)
    return acceptance_by_group(candidate_frame(store, opened, 10), len(opened), len(commits.units))


def tones(tone: int, accepted: int, rejected: int, reason: str = "glasses") -> list[dict]:
    kinds = [("accepted", "")] * accepted + [("rejected", reason)] * rejected
    return [candidate(number, *kind, skin_tone=tone) for number, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ('{"skin_tone": 10, "age": 29.9, "sex": 0.2}', ["skin tone 10", "age under 30", "more feminine"]),
        ('{"age": 50, "sex": 0.5, "glasses": true}', ["age 50 and over", "more masculine"]),
        ('{"skin_tone": 11}', []),
        ('{"skin_tone": true, "age": "old", "sex": null}', []),
        ("[1, 2]", []),
        ("not JSON", []),
    ],
)
def test_attributes_put_a_candidate_into_groups(attributes, names):
    assert group_names(attributes) == names


def test_a_rule_that_minds_one_skin_tone_is_marked(tmp_path):
    """The default glasses rule once rejected half of the bare faces of the darkest tone, and nothing showed it."""
    told = found(tmp_path, tones(1, 45, 5), tones(2, 38, 12, "yaw"), tones(3, 38, 12), tones(10, 20, 30))
    assert told.share == "70 %"
    assert [(group.name, group.candidates, group.share, group.unlike) for group in told.groups] == [
        ("skin tone 1", "50", "90 %", True),
        ("skin tone 2", "50", "76 %", False),
        ("skin tone 3", "50", "76 %", False),
        ("skin tone 10", "50", "40 %", True),
    ]
    assert told.groups[3].reasons == "30 glasses"
    assert told.groups[3].interval == "28 to 54 %"


def test_groups_are_compared_with_their_own_kind_alone(tmp_path):
    old = [candidate(number, "accepted", age=60) for number in range(40)]
    told = found(tmp_path, tones(1, 10, 30), tones(2, 10, 30), old)
    assert not any(group.unlike for group in told.groups)


def test_chance_marks_no_group(tmp_path):
    random = np.random.default_rng(0)
    units = [
        [candidate(0, *draw, skin_tone=int(random.integers(1, 11)), age=float(random.uniform(20, 70))) for draw in unit]
        for unit in random.choice([("accepted", ""), ("rejected", "yaw")], (20, 50))
    ]
    assert not any(group.unlike for group in found(tmp_path, *units).groups)


def test_surplus_and_dead_candidates_were_not_judged(tmp_path):
    """Whether a surplus candidate repeats somebody is not looked at any more."""
    rows = [
        candidate(0, "rejected", "surplus", skin_tone=3),
        candidate(1, "dead", skin_tone=3),
        candidate(2, "accepted", skin_tone=3),
    ]
    (group,) = found(tmp_path, rows).groups
    assert (group.candidates, group.share, group.reasons) == ("1", "100 %", "")


def test_reasons_are_the_three_most_frequent(tmp_path):
    rows = [
        candidate(number, "rejected", reason, skin_tone=3)
        for number, reason in enumerate(["yaw", "no_face", "no_face", "glasses", "duplicate", "duplicate"])
    ]
    (group,) = found(tmp_path, rows).groups
    assert group.reasons == "2 duplicate, 2 no face, 1 glasses"


def test_a_large_ledger_is_read_in_an_even_selection(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "SHARD_LIMIT", 2)
    told = found(tmp_path, *[tones(1, 1, 1)] * 5)
    assert told.groups[0].candidates == "4"
    assert told.partial == "Of an even selection of 2 of 5 ledger units."


def test_there_is_no_table_where_the_generator_records_no_attributes(tmp_path):
    assert found(tmp_path / "silent", [candidate(0, "accepted")]) is None
    assert found(tmp_path / "begun") is None


def test_the_page_shows_the_groups(tmp_path):
    storage, _ = ledger(tmp_path, tones(1, 45, 5), tones(10, 20, 30))
    page = render_page(synthetic_run.config(), storage)
    assert "Acceptance by group" in page
    assert '<tr class="best"><td>skin tone 10 ●</td><td class="number">50</td><td class="number">40 %</td>' in page


def test_the_page_opens_every_ledger_unit_once(tmp_path, monkeypatch):
    """The table and the pictures of rejected candidates each read and verified every unit."""
    storage, _ = ledger(tmp_path, tones(1, 5, 5), tones(10, 2, 3))
    opened, read = [], ShardStore.read
    monkeypatch.setattr(ShardStore, "read", lambda *call: opened.append(call[1]) or read(*call))
    render_page(synthetic_run.config(), storage)
    assert sorted((commit.kind, commit.number) for commit in opened) == [("identities", 0), ("identities", 1)]
