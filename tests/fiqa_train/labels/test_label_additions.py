"""A run that has grown: `label --frozen` labels what is new on the scale of the labels that there are."""

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.growth import grow
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.garbage import find_garbage
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.fiqa_train.export.layouts import run_export
from synfiqa.fiqa_train.labels.label_additions import run_label_additions
from synfiqa.fiqa_train.labels.label_pass import read_calibration, read_labels, run_label
from synfiqa.fiqa_train.labels.parts import pair_shards
from synfiqa.schemas.errors import JobFailed, UserError
from tests.cluster import synthetic

SMALL, LARGE = 6, 12


def grown(storage):
    """Grow the run from 6 identities, the last of its shards half full, to 12; return the config."""
    run = synthetic.config(LARGE)
    manifest = grow(storage, load_run(storage), LARGE)
    store = ShardStore(storage, manifest.fingerprint)
    for number, revision in ((1, 1), (2, 0)):
        table = synthetic.samples(range(number * 4, number * 4 + 4))
        store.commit("samples", number, table, sample_counts(table, ()), revision=revision)
    return run


@pytest.fixture
def labelled(tmp_path):
    """A labelled run of 6 identities in shards of 4."""
    storage, _ = synthetic.dataset(str(tmp_path / "run"), synthetic.config(SMALL))
    run_label(synthetic.config(SMALL), storage)
    return storage


def label_files(storage):
    return {path: storage.read(path) for path in storage.list("labels")}


def test_old_labels_stay_byte_for_byte_and_new_samples_are_labelled_on_their_scale(labelled, tmp_path):
    old, labels = label_files(labelled), read_labels(labelled, "default")
    first = read_calibration(labelled, "default")
    run = grown(labelled)
    summary = run_label_additions(run, labelled)
    assert (summary["samples"], summary["reused"]) == (LARGE * 12, False)
    assert summary["calibration"] == "labels/default/calibration.r001.json"
    assert old.items() <= label_files(labelled).items()
    second = read_calibration(labelled, "default")
    assert second.scale == first.scale
    assert (first.revision, second.revision) == (0, 1)
    assert {part.path for part in first.parts} <= {part.path for part in second.parts}
    now = read_labels(labelled, "default")
    assert now.filter(np.isin(now["identity"], range(SMALL))).to_pylist() == labels.to_pylist()
    # As a whole pass would label them on this frozen scale.
    url = labelled.uri("labels/default/calibration.json")
    other = synthetic.config(LARGE, label={"name": "whole", "calibration": url})
    run_label(other, labelled)
    whole = read_labels(labelled, "whole").sort_by("sample_id")
    assert now.sort_by("sample_id").to_pylist() == whole.to_pylist()
    counts = run_export(labelled, tmp_path / "out", "parquet", "default")
    assert counts["labels"] == LARGE * 12
    store = ShardStore(labelled, load_run(labelled).fingerprint)
    pairs = pair_shards(store.committed("samples").values(), second.parts)
    assert [pair.commit.number for pair in pairs] == [0, 1, 1, 2]


def test_a_second_call_has_nothing_to_do_and_neither_has_a_plain_one(labelled):
    run = grown(labelled)
    run_label_additions(run, labelled)
    before = label_files(labelled)
    assert run_label_additions(run, labelled)["reused"]
    assert run_label(run, labelled)["reused"]
    assert label_files(labelled) == before


def test_labels_are_complete_or_absent_when_the_job_is_killed_anywhere(labelled, monkeypatch):
    run, before = grown(labelled), read_labels(labelled, "default").to_pylist()
    write, create = Storage.write, Storage.create
    for number in (1, 2):
        made = []

        def dying(self, path, data, made=made, number=number):
            if path.startswith("labels/"):
                made.append(path)
                if len(made) == number:
                    raise KeyboardInterrupt
            return write(self, path, data)

        monkeypatch.setattr(Storage, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run_label_additions(run, labelled)
        assert read_labels(labelled, "default").to_pylist() == before
    monkeypatch.setattr(Storage, "write", write)

    def not_created(self, path, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(Storage, "create", not_created)
    with pytest.raises(KeyboardInterrupt):
        run_label_additions(run, labelled)
    monkeypatch.setattr(Storage, "create", create)
    assert read_labels(labelled, "default").to_pylist() == before
    assert run_label_additions(run, labelled)["samples"] == LARGE * 12


def test_plain_label_names_the_way_and_so_do_the_jobs_that_read_labels(labelled, tmp_path):
    run = grown(labelled)
    with pytest.raises(UserError, match=r"\(dataset digest: \w+ -> \w+\); label what is new with `synfiqa label --fro"):
        run_label(run, labelled)
    with pytest.raises(UserError, match="older than its shards; label what is new with `synfiqa label --frozen`, or"):
        run_export(labelled, tmp_path / "out", "parquet", "default")


def test_another_fusion_needs_another_name(labelled):
    grown(labelled)
    other = synthetic.config(LARGE, label={"spatial_weight": 1.0})
    with pytest.raises(UserError, match=r"label.spatial_weight: 0.5 -> 1\); choose another label.name"):
        run_label_additions(other, labelled)


def test_without_labels_there_is_no_scale_to_take(tmp_path):
    storage, _ = synthetic.dataset(str(tmp_path / "run"), synthetic.config(SMALL))
    with pytest.raises(UserError, match="no labels named 'default' whose scale --frozen could take; run `synfiqa labe"):
        run_label_additions(synthetic.config(SMALL), storage)


def test_an_unfinished_growth_is_not_labelled(labelled):
    run = synthetic.config(SMALL + 1)
    grow(labelled, load_run(labelled), SMALL + 1)
    for job in (run_label, run_label_additions):
        with pytest.raises(JobFailed, match=r"generate has not finished: 1 of 2 shards.*shard 1 is missing"):
            job(run, labelled)


def test_labelled_samples_that_a_replay_made_otherwise_are_refused(labelled):
    """A reference that was dead changes f_r of its identity when it is made after all."""
    manifest = load_run(labelled)
    rows = synthetic.samples(range(4, 6)).to_pylist()
    next(row for row in rows if row["sample_id"] == "000004/3").update(recognition=0.5)
    table = pa.Table.from_pylist(rows, schema=synthetic.SAMPLES)
    ShardStore(labelled, manifest.fingerprint).commit("samples", 1, table, sample_counts(table, ()), revision=1)
    with pytest.raises(UserError, match=r"1 labelled samples of shard 1 were made again by a replay.*\(000004/3\)"):
        run_label_additions(synthetic.config(SMALL), labelled)


def test_verify_and_gc_take_all_revisions_of_a_calibration(labelled):
    run_label_additions(grown(labelled), labelled)
    found = verify_run(labelled)
    assert [problem for problem in found.problems if "labels" in problem.path] == []
    assert [note for note in found.notes if note.startswith("labels")] == []
    assert find_garbage(labelled, 0.0).garbage == [], "every label part is named"
