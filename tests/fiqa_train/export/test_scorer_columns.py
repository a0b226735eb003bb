"""Scores of `models.scorers` in the published layout: one line an image, references first."""

import pyarrow as pa

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.export.layouts import SCORERS, run_export
from synfiqa.fiqa_train.export.scorer_columns import score_columns, scores_csv
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.schemas.rows import samples_schema
from tests.fiqa_train.labelled_run import make_run, rows_of, small_config


def test_lines_are_ordered_by_identity_references_first_and_index():
    table = pa.table(
        {
            "identity": pa.array([2, 1, 1, 1], pa.int64()),
            "kind": ["degraded", "degraded", "degraded", "reference"],
            "index": pa.array([0, 10, 2, 0], pa.int32()),
            "score_froq": pa.array([0.5, 0.25, None, 1.0], pa.float32()),
            "score_norm": pa.array([1.5, 2.5, 3.5, 4.5], pa.float32()),
        }
    )
    assert "".join(scores_csv([table.slice(0, 2), table.slice(2)])).splitlines() == [
        "path,froq,norm",
        "data/1/Ref-0.jpg,1,4.5",
        "data/1/2.jpg,,3.5",
        "data/1/10.jpg,0.25,2.5",
        "data/2/0.jpg,0.5,1.5",
    ]


def test_a_run_without_scorers_has_no_such_columns_and_no_file(tmp_path):
    assert score_columns({"models": {}}) == ()
    assert score_columns({"models": {"scorers": ["norm", "froq"]}}) == ("score_froq", "score_norm")
    _, storage = make_run(tmp_path / "run", generate={"identities": 2, "degraded": 2})
    run_export(storage, tmp_path / "out", "synfiqa", "default")
    assert not (tmp_path / "out" / SCORERS).exists()


def test_the_published_layout_has_the_scores_of_every_image(tmp_path):
    sections = {"generate": {"identities": 2, "degraded": 3}, "models": {"scorers": ["norm"]}}
    config = small_config(tmp_path / "run", **sections)
    storage = Storage(str(tmp_path / "run"))
    manifest = open_run(storage, config, {"synthetic": "0"})
    rows = [row | {"score_norm": row["identity"] + row["index"] / 4} for i in range(2) for row in rows_of(config, i)]
    table = pa.Table.from_pylist(rows, schema=samples_schema(scorers=["norm"]))
    ShardStore(storage, manifest.fingerprint, config.storage.format).commit("samples", 0, table, {"rows": len(rows)})
    run_label(config, storage)
    run_export(storage, tmp_path / "out", "synfiqa", "default")
    lines = (tmp_path / "out" / SCORERS).read_text().splitlines()
    assert lines[0] == "path,norm"
    assert lines[1:6] == [
        "data/0/Ref-0.jpg,0",
        "data/0/Ref-1.jpg,0.25",
        "data/0/0.jpg,0",
        "data/0/1.jpg,0.25",
        "data/0/2.jpg,0.5",
    ]
    assert len(lines) == 11
    assert all((tmp_path / "out" / line.partition(",")[0]).is_file() for line in lines[1:])
