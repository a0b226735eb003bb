"""A run that keeps portraits: what its shards hold, and the items that are learned from."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from synfiqa.actors.degradation.portrait import RECORDED
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.stages.shard_writer import ShardWriterStage
from synfiqa.cluster.commits import shard_formats
from synfiqa.cluster.commits.shard_formats import content_digest, encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.run.manifest import load_run
from synfiqa.fiqa_train.labels.label_pass import read_labels, run_label
from synfiqa.fiqa_train.portraits.run_portraits import run_portraits
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import SAMPLES, samples_schema
from tests.cluster import synthetic
from tests.fiqa_train.portraits import portrait_run


@pytest.fixture(scope="module")
def tables():
    return portrait_run.rendered(portrait_run.config())


@pytest.fixture(scope="module")
def storage(tables, tmp_path_factory):
    return portrait_run.committed(str(tmp_path_factory.mktemp("run") / "run"), portrait_run.config(), tables)


@pytest.fixture(scope="module")
def items(storage):
    return list(run_portraits(storage))


def test_without_the_option_every_other_column_and_the_digest_are_as_before(tables):
    plain = portrait_run.rendered(portrait_run.config(portraits=False))
    assert plain[0].schema == SAMPLES
    assert tables[0].schema == samples_schema(portraits=True)
    assert [content_digest(t) for t in plain] == [content_digest(t) for t in portrait_run.without_portraits(tables)]


def test_the_crop_is_cut_from_the_kept_portrait(tables):
    for row in tables[0].to_pylist():
        portrait = decode(row["portrait"]["bytes"])
        assert portrait.shape == (portrait_run.SIZE, portrait_run.SIZE, 3)
        assert row["portrait"]["path"] == row["image"]["path"].replace(".jpg", ".png")
        points = np.array(row["portrait_landmarks"], np.float32).reshape(68, 2)
        assert ((points > 0) & (points < portrait_run.SIZE - 1)).all()


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_both_file_formats_keep_them(tables, format):
    data = encode(tables[0], format, {})
    assert data == encode(pa.concat_tables([tables[0].slice(0, 2), tables[0].slice(2)]), format, {})
    back = shard_formats.decode(data, format)
    assert content_digest(back) == content_digest(tables[0])


def test_items_are_the_portraits_degraded_and_scored(items, tables):
    per_identity = portrait_run.REFERENCES + portrait_run.DEGRADED
    assert [item.name for item in items[:4]] == ["000000_Ref-0", "000000_Ref-1", "000000_0", "000000_1"]
    assert [item.group for item in items] == ["000000"] * per_identity + ["000001"] * per_identity
    rows = [row for table in tables for row in table.to_pylist()]
    for item, row in zip(items, rows, strict=True):
        clean = decode(row["portrait"]["bytes"])
        assert (item.image.dtype, item.image.shape) == (np.uint8, clean.shape)
        assert (item.landmarks.dtype, item.landmarks.shape) == (np.float32, (68, 2))
        if row["kind"] == "reference":
            assert (item.image == clean).all()
            assert (item.score, item.degradation) == (1.0, {})
        else:
            assert (item.image != clean).any()
            assert item.score < 1
            assert set(RECORDED) <= set(item.degradation)
            assert item.degradation["noise"] == row["noise"] > 0


def test_any_label_or_scorer_of_the_run_may_be_the_score(tmp_path, tables):
    named = portrait_run.config().model_dump(mode="json")
    run = RunConfig.model_validate({**named, "models": {"scorers": ["sharpness"]}})
    scored = [
        table.append_column("score_sharpness", pc.cast(pc.add(table["index"], 7), pa.float32())) for table in tables
    ]
    storage = portrait_run.committed(str(tmp_path / "run"), run, scored)
    assert [item.score for item in run_portraits(storage, "sharpness")][:4] == [7, 8, 7, 8]
    with pytest.raises(UserError, match="no labels named 'default'; run `synfiqa label` first"):
        run_portraits(storage, "quality")
    run_label(run, storage)
    labels = read_labels(storage, "default")
    quality = dict(zip(labels["sample_id"].to_pylist(), labels["quality"].to_pylist(), strict=True))
    items = list(run_portraits(storage, "quality"))
    assert {item.name: item.score for item in items} == {name.replace("/", "_"): q for name, q in quality.items()}
    with pytest.raises(
        UserError, match=r"froq is no score of this run: choose one of gradients, similarity, quality, .*sharpness"
    ):
        run_portraits(storage, "froq")


def test_a_run_without_portraits_or_unfinished_is_named(tmp_path, tables):
    storage, _ = synthetic.dataset(str(tmp_path / "plain"))
    with pytest.raises(UserError, match=r"keeps no portraits: generate a run with `--set storage.portraits=true`"):
        run_portraits(storage)
    half = portrait_run.committed(str(tmp_path / "half"), portrait_run.config(), tables[:1])
    with pytest.raises(JobFailed, match="1 of 2 shards"):
        run_portraits(half)


def test_a_row_without_a_portrait_is_named(tmp_path, tables):
    rows = tables[0].to_pylist()
    rows[3]["portrait"] = None
    broken = [pa.Table.from_pylist(rows, schema=tables[0].schema), tables[1]]
    storage = portrait_run.committed(str(tmp_path / "run"), portrait_run.config(), broken)
    with pytest.raises(JobFailed, match="sample 000000/1 has no portrait"):
        list(run_portraits(storage))


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_a_replay_adds_to_a_shard_and_makes_one_that_failed_as_a_whole(tmp_path, tables, format):
    run = portrait_run.config(format=format)
    storage = portrait_run.committed(str(tmp_path / "run"), run, [pa.concat_tables(tables)])
    fingerprint = load_run(storage).fingerprint
    store, writer = ShardStore(storage, fingerprint, format), ShardWriterStage(storage, fingerprint, format)
    dead = [DeadRow(item="000001/0", stage="x", error="x", attempts=3)]
    store.commit("samples", 1, SAMPLES.empty_table(), {}, dead=dead)
    for number in (0, 1):
        replay = Work("samples", number, tables[1], plan={"revision": 1, "only": [1]})
        writer.process(replay)
    whole, remade = store.tables("samples")
    assert content_digest(whole) == content_digest(pa.concat_tables(tables))
    assert content_digest(remade) == content_digest(tables[1])
