import io
import math
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from synfiqa.cluster.commits.shard_formats import decode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run, open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.export.layouts import run_export
from synfiqa.fiqa_train.labels.label_pass import read_labels, require_calibration, run_label
from synfiqa.fiqa_train.ofiq.csv_table import HEADER, read_ofiq
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import SAMPLES
from tests.cluster import synthetic


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    run = synthetic.config(12, 5)
    storage, _ = synthetic.dataset(str(tmp_path_factory.mktemp("run") / "run"), run)
    run_label(run, storage)
    return storage


def test_the_published_layout(storage, tmp_path):
    out = tmp_path / "deep" / "out"
    counts = run_export(storage, out, "synfiqa", "default")
    assert counts == {"images": 12 * 14, "labels": 12 * 12, "files": 12 * 14 + 1}
    assert sorted(path.name for path in out.iterdir()) == ["Quality-Scores.txt", "README.md", "data"]
    assert {path.name for path in (out / "data").iterdir()} == {str(n) for n in range(12)}
    expected = {f"{n}.jpg" for n in range(12)} | {"Ref-0.jpg", "Ref-1.jpg"}
    assert {path.name for path in (out / "data" / "11").iterdir()} == expected
    assert (out / "data" / "11" / "10.jpg").read_bytes() == synthetic.jpeg(11_010)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_scores_are_joined_by_name_in_numeric_order(storage, tmp_path):
    run_export(storage, tmp_path / "out", "synfiqa", "default")
    text = (tmp_path / "out" / "Quality-Scores.txt").read_text()
    lines = [re.fullmatch(r"/(\d+)/(\d+)\.jpg\t(\S+)", line).groups() for line in text.splitlines()]
    assert text.endswith("\n")
    names = [(int(identity), int(index)) for identity, index, _ in lines]
    assert names == [(identity, index) for identity in range(12) for index in range(12)]
    labels = read_labels(storage, "default")
    quality = dict(zip(labels["sample_id"].to_pylist(), labels["quality"].to_pylist(), strict=True))
    assert all(float(score) == quality[f"{int(i):06d}/{k}"] for i, k, score in lines)


def test_shards_carry_the_labels_beside_the_samples(storage, tmp_path):
    labels = read_labels(storage, "default")
    quality = dict(zip(labels["sample_id"].to_pylist(), labels["quality"].to_pylist(), strict=True))
    tables = {}
    for layout, ending in (("parquet", "parquet"), ("webdataset", "tar")):
        out = tmp_path / layout
        assert run_export(storage, out, layout, "default") == {"images": 168, "labels": 144, "files": 3}
        assert sorted(path.name for path in out.iterdir()) == ["README.md", "data"]
        files = sorted((out / "data").iterdir())
        assert [path.name for path in files] == [f"shard-{n:06d}.{ending}" for n in range(3)]
        tables[layout] = pa.concat_tables(decode(path.read_bytes(), layout) for path in files)
    assert tables["parquet"].equals(tables["webdataset"])
    for row in tables["parquet"].select(["sample_id", "quality", "kind"]).to_pylist():
        assert row["quality"] == quality.get(row["sample_id"])
        assert (row["quality"] is None) == (row["kind"] == "reference")
    image = pq.read_table(tmp_path / "parquet" / "data")["image"][0].as_py()
    assert Image.open(io.BytesIO(image["bytes"])).size == (8, 8)


@pytest.mark.parametrize("layout", ["synfiqa", "parquet", "webdataset"])
def test_a_shard_is_joined_with_its_own_labels_alone(storage, tmp_path, monkeypatch, layout):
    """Each shard hashed the labels of all: 38 days at 10^8 samples, and no string array holds so many names."""
    hashed, read = [], []
    index_in, read_file = pc.index_in, Storage.read

    def counted_index_in(values, *, value_set):
        hashed.append(len(value_set))
        return index_in(values, value_set=value_set)

    def counted_read(self, path):
        read.append(path)
        return read_file(self, path)

    monkeypatch.setattr(pc, "index_in", counted_index_in)
    monkeypatch.setattr(Storage, "read", counted_read)
    run_export(storage, tmp_path / "out", layout, "default")
    assert hashed == [5 * 12, 5 * 12, 2 * 12]
    parts = [path for path in read if path.startswith("labels/") and path.endswith(".parquet")]
    assert len(parts) == len(set(parts)) == 3


@pytest.mark.parametrize("layout", ["synfiqa", "parquet", "webdataset"])
def test_a_shard_of_references_alone_has_no_labels(tmp_path, layout):
    run = synthetic.config(8, 4)
    storage, manifest = synthetic.dataset(str(tmp_path / "run"), run, shards=range(1))
    ShardStore(storage, manifest.fingerprint).commit("samples", 1, synthetic.samples(range(4, 8), degraded=0), {})
    run_label(run, storage)
    counts = run_export(storage, tmp_path / "out", layout, "default")
    assert (counts["images"], counts["labels"]) == (4 * 14 + 4 * 2, 4 * 12)
    if layout != "synfiqa":
        table = decode(next((tmp_path / "out" / "data").glob("shard-000001.*")).read_bytes(), layout)
        assert table["quality"].null_count == table["group"].null_count == table.num_rows == 4 * 2


def test_a_damaged_label_part_is_named_and_nothing_is_left(tmp_path):
    run = synthetic.config(8, 4)
    storage, _ = synthetic.dataset(str(tmp_path / "run"), run)
    run_label(run, storage)
    part = require_calibration(storage, "default").parts[1]
    storage.write(part.path, b"x" * part.bytes)
    with pytest.raises(JobFailed, match=r"shard-000001-.* is damaged"):
        run_export(storage, tmp_path / "out", "parquet", "default")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_exports_are_equal_byte_for_byte(storage, tmp_path):
    for layout in ("synfiqa", "webdataset", "parquet"):
        folders = [tmp_path / f"{layout}-{n}" for n in range(2)]
        contents = []
        for folder in folders:
            run_export(storage, folder, layout, "default")
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            contents.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
        assert contents[0] == contents[1]


def test_an_existing_folder_is_filled_only_when_empty(storage, tmp_path):
    (tmp_path / "empty").mkdir()
    run_export(storage, tmp_path / "empty", "parquet", "default")
    before = sorted((tmp_path / "empty").iterdir())
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(UserError, match="is not empty; choose another --out"):
            run_export(storage, out, "synfiqa", "default")
    assert sorted((tmp_path / "empty").iterdir()) == before
    with pytest.raises(UserError, match="cannot write beside"):
        run_export(storage, tmp_path / "file" / "out", "synfiqa", "default")


def test_the_current_folder_can_be_named_by_a_dot(storage, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run_export(storage, type(tmp_path)("."), "parquet", "default")
    assert len(list((tmp_path / "here" / "data").iterdir())) == 3


def test_missing_labels_are_asked_for(storage, tmp_path):
    with pytest.raises(UserError, match="no labels named 'other'; run `synfiqa label` first"):
        run_export(storage, tmp_path / "out", "synfiqa", "other")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def with_extra(tmp_path):
    """A labelled run of one shard to which another shard with one odd sample is added after labelling."""
    run = synthetic.config(4)
    storage, _ = synthetic.dataset(str(tmp_path / "run"), run)

    def add(change, label):
        if not label:
            run_label(run, storage)
        rows = synthetic.samples(range(4, 5)).to_pylist()
        change(rows[5])
        table = pa.Table.from_pylist(rows, schema=synthetic.SAMPLES)
        ShardStore(storage, load_run(storage).fingerprint).commit("samples", 1, table, {})
        if label:
            run_label(run, storage)
        return storage

    return add


def test_labels_older_than_the_shards_are_refused_and_nothing_is_left(with_extra, tmp_path):
    """Old labels beside a replayed shard's new components went out without a word."""
    storage = with_extra(lambda row: None, label=False)
    with pytest.raises(UserError, match="older than its shards"):
        run_export(storage, tmp_path / "out", "synfiqa", "default")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_sample_without_image_is_named_and_nothing_is_left(with_extra, tmp_path):
    storage = with_extra(lambda row: row.update(image=None), label=True)
    with pytest.raises(JobFailed, match="sample 000004/3 has no image"):
        run_export(storage, tmp_path / "out", "synfiqa", "default")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_names_in_the_data_never_become_paths(with_extra, tmp_path):
    def evil(row):
        row.update(sample_id="../../../evil", image={"bytes": b"x", "path": "/tmp/../evil.jpg"}, occluder="../../evil")

    storage = with_extra(evil, label=True)
    run_export(storage, tmp_path / "out", "synfiqa", "default")
    assert not list(tmp_path.rglob("*evil*"))
    assert (tmp_path / "out" / "data" / "4" / "3.jpg").read_bytes() == b"x"
    with pytest.raises(JobFailed, match=r"shard 1 cannot .*cannot name a WebDataset sample"):
        run_export(storage, tmp_path / "tars", "webdataset", "default")
    assert not (tmp_path / "tars").exists()


def test_a_folder_that_is_no_run_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="synfiqa generate"):
        run_export(Storage(str(tmp_path / "nothing")), tmp_path / "out", "synfiqa", "default")
    assert list(tmp_path.iterdir()) == []


def test_an_unlabelled_new_run_asks_for_labels(tmp_path):
    storage = Storage(str(tmp_path / "run"))
    open_run(storage, synthetic.config(), synthetic.MODELS)
    with pytest.raises(UserError, match="run `synfiqa label` first"):
        run_export(storage, tmp_path / "out", "parquet", "default")


@pytest.mark.parametrize("layout", ["parquet", "webdataset", "synfiqa"])
def test_a_shard_of_which_every_sample_is_dead_leaves_no_file(tmp_path, layout):
    run = synthetic.config(8, 4)
    storage, manifest = synthetic.dataset(str(tmp_path / "run"), run, shards=range(1))
    dead = [DeadRow(item=f"{identity:06d}/0", stage="x", error="x", attempts=3) for identity in range(4, 8)]
    counts = {"planned": 4, "accepted": 0, "rejected": 0, "dead": 4}
    ShardStore(storage, manifest.fingerprint).commit("samples", 1, SAMPLES.empty_table(), counts, dead=dead)
    run_label(run, storage)
    assert run_export(storage, tmp_path / "out", layout, "default")["images"] == 4 * 14


@pytest.mark.parametrize("layout", ["synfiqa", "parquet"])
def test_commanded_components_are_written_as_ofiq_does(storage, tmp_path, layout):
    counts = run_export(storage, tmp_path / "out", layout, "default", ofiq=True)
    plain = run_export(storage, tmp_path / "plain", layout, "default")
    assert counts["files"] == plain["files"] + 1
    text = (tmp_path / "out" / "OFIQ-Commanded.csv").read_text()
    table = read_ofiq("out", text)
    assert text.partition("\n")[0] == HEADER
    assert len(table.names) == 12 * 14
    assert table.names[:3] == ["data/0/Ref-0.jpg", "data/0/Ref-1.jpg", "data/0/0.jpg"]
    if layout == "synfiqa":
        assert all((tmp_path / "out" / name).is_file() for name in table.names)
    samples = pa.concat_tables(ShardStore(storage, load_run(storage).fingerprint).tables("samples"))
    row = next(row for row in samples.to_pylist() if row["sample_id"] == "000011/3")
    yaw = row["yaw"] if row["measured_yaw"] is None else row["measured_yaw"]
    place = table.names.index("data/11/3.jpg")
    assert table.scalars["HeadPoseYaw"][place] == round(100 * max(0.0, math.cos(math.radians(yaw))) ** 2)
    assert all(value != value for value in table.scalars["Sharpness"]), "not determined by a recipe"
