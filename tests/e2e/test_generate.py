"""Generating as a user does it: killed, resumed, placed differently, and always the same dataset."""

import json

import pyarrow.dataset as ds
import pytest

from tests.e2e.command import commits, content, kill_after_commits, synfiqa

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.timeout(900)]


def test_committed_rows_are_the_plan_and_readable_with_pyarrow(finished):
    shards = [commit for name, commit in commits(finished).items() if name.startswith("shard")]
    table = ds.dataset([str(finished / commit["file"]["path"]) for commit in shards]).to_table()
    assert table.num_rows == 8 * (2 + 6) == len(set(table["sample_id"].to_pylist()))
    assert table["recognition"].null_count == table["vision_language"].null_count == 0


def test_planned_is_accepted_plus_rejected(finished):
    dataset = json.loads((finished / "dataset.json").read_text())
    assert dataset["planned"] == dataset["accepted"] + sum(dataset["rejected"].values())
    assert dataset["accepted"] == 8


def test_killed_twice_and_finished_by_another_placement_it_equals_the_uninterrupted_run(finished, tmp_path):
    run = tmp_path / "run"
    kill_after_commits("generate", run, 1, "unit-*", placement__workers=2)
    kill_after_commits("generate", run, 1, "shard-*", placement__workers=2)
    before = commits(run)
    result = synfiqa("generate", run, placement__mode="split", placement__workers=1)
    assert result.returncode == 0, result.stderr
    assert content(run) == content(finished)
    after = commits(run)
    assert {name: after[name] for name in before} == before, "a committed unit was made again"


def test_a_changed_config_is_refused_with_the_difference_and_nothing_is_touched(finished):
    before = content(finished)
    result = synfiqa("generate", finished, generate__degraded=7)
    assert result.returncode == 2
    assert "generate.degraded" in result.stderr
    assert "6" in result.stderr
    assert "7" in result.stderr
    assert "Traceback" not in result.stderr
    assert content(finished) == before


def test_no_accepted_identity_is_a_sentence_with_the_reasons(tmp_path):
    result = synfiqa("generate", tmp_path / "run", filter__min_detection=1.0, generate__max_candidates=8)
    assert result.returncode == 1
    assert "0 of 8 identities" in result.stderr
    assert "no_face" in result.stderr
    assert "Traceback" not in result.stderr
