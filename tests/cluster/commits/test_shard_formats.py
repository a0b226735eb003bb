import io
import subprocess
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from synfiqa.cluster.commits.shard_formats import content_digest, decode, encode
from synfiqa.schemas.rows import CANDIDATES, SAMPLES
from tests.cluster import synthetic

FORMATS = ["parquet", "webdataset"]


@pytest.fixture(scope="module")
def table():
    return synthetic.samples(range(3))


def rechunked(table):
    """The same rows in four chunks, cut where they share no buffers with the original, with foreign metadata."""
    cuts = [table.slice(0, 1), table.slice(1, 6), table.slice(7, 0), table.slice(7)]
    copies = [pa.Table.from_pylist(cut.to_pylist(), schema=table.schema) for cut in cuts]
    return pa.concat_tables(copies).replace_schema_metadata({"pandas": "{}"})


@pytest.mark.parametrize("format", FORMATS)
def test_equal_rows_make_equal_bytes(table, format):
    data = encode(table, format, {"b": "2", "a": "1"})
    assert data == encode(table, format, {"a": "1", "b": "2"})
    assert data == encode(rechunked(table), format, {"a": "1", "b": "2"})
    larger = pa.concat_tables([table.slice(5), table])
    assert data == encode(larger.slice(table.num_rows - 5), format, {"a": "1", "b": "2"})


@pytest.mark.parametrize("format", FORMATS)
def test_rows_come_back_exactly(table, format):
    back = decode(encode(table, format, {}), format)
    assert back.schema == table.schema
    assert back.equals(table)
    assert back.schema.metadata is None
    assert content_digest(back) == content_digest(table)


@pytest.mark.parametrize("format", FORMATS)
def test_columns_are_chosen_in_order(table, format):
    back = decode(encode(table, format, {}), format, ["kind", "sample_id"])
    assert back.equals(table.select(["kind", "sample_id"]))


@pytest.mark.parametrize("format", FORMATS)
def test_missing_values_survive(format):
    row = dict.fromkeys(SAMPLES.names) | {"sample_id": "000000/0"}
    images = [None, {"bytes": None, "path": "x"}, {"bytes": b"", "path": None}, {"bytes": b"\xff", "path": ""}]
    rows = [row | {"sample_id": f"000000/{n}", "image": image} for n, image in enumerate(images)]
    odd = pa.Table.from_pylist(rows, schema=SAMPLES)
    assert decode(encode(odd, format, {}), format).equals(odd)


def test_an_empty_table_is_a_valid_parquet_file_but_no_tar(table):
    assert decode(encode(table.slice(0, 0), "parquet", {}), "parquet").equals(table.slice(0, 0))
    with pytest.raises(ValueError, match="at least one sample"):
        encode(table.slice(0, 0), "webdataset", {})


def test_extreme_numbers_survive_json():
    row = dict.fromkeys(SAMPLES.names) | {"sample_id": "000000/0", "seed": 2**63 - 1, "yaw": 0.1, "pitch": -0.0}
    odd = pa.Table.from_pylist([row | {"roll": 3.4e38, "blur": 1e-45}], schema=SAMPLES)
    back = decode(encode(odd, "webdataset", {}), "webdataset")
    assert content_digest(back) == content_digest(odd)


def test_candidates_survive_parquet():
    ledger = synthetic.candidates(range(5))
    back = decode(encode(ledger, "parquet", {}), "parquet")
    assert back.schema == CANDIDATES
    assert content_digest(back) == content_digest(ledger)


def test_the_digest_ignores_chunks_but_nothing_else(table):
    digest = content_digest(table)
    assert digest == content_digest(rechunked(table))
    changed = [
        table.slice(1),
        table.take(list(reversed(range(table.num_rows)))),
        table.rename_columns(["id", *table.column_names[1:]]),
        table.set_column(1, "identity", table["identity"].cast(pa.int32())),
        table.select(list(reversed(table.column_names))),
    ]
    for column, value in {"blur": 1.0000001, "occluder": None, "landmarks": [0.0] * 10}.items():
        rows = table.to_pylist()
        rows[4][column] = value
        changed.append(pa.Table.from_pylist(rows, schema=table.schema))
    rows = table.to_pylist()
    rows[0]["image"] = {"bytes": rows[0]["image"]["bytes"] + b"\0", "path": rows[0]["image"]["path"]}
    changed.append(pa.Table.from_pylist(rows, schema=table.schema))
    digests = {content_digest(other) for other in changed}
    assert digest not in digests
    assert len(digests) == len(changed)


def test_the_digest_distinguishes_boundaries_between_values():
    def digest(*values, kind):
        return content_digest(pa.table({"x": pa.array(values, kind)}))

    assert digest("ab", "c", kind=pa.string()) != digest("a", "bc", kind=pa.string())
    assert digest("", kind=pa.string()) != digest(None, kind=pa.string())
    assert digest([1], [], kind=pa.list_(pa.int64())) != digest([], [1], kind=pa.list_(pa.int64()))
    assert digest([], kind=pa.list_(pa.int64())) != digest(None, kind=pa.list_(pa.int64()))
    assert digest(0.0, kind=pa.float64()) != digest(None, kind=pa.float64())


def test_the_digest_is_pinned():
    """A change here changes every dataset digest ever published: raise RECIPE_VERSION with it."""
    columns = {"a": pa.array([1, None], pa.int64()), "b": pa.array(["x", ""]), "c": pa.array([[0.5], []])}
    assert content_digest(pa.table(columns)) == "963f222482624637cdbd0f8e43bb63ec8fea1b3276260f8d7af7f3d19b33720f"


def test_values_under_a_null_do_not_enter_the_digest():
    values = pa.array([1, 99], pa.int64())
    masked = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x01"), values.buffers()[1]])
    assert content_digest(pa.table({"x": masked})) == content_digest(pa.table({"x": pa.array([1, None], pa.int64())}))


def test_metadata_is_readable_from_the_parquet_schema(table):
    schema = pq.read_schema(pa.BufferReader(encode(table, "parquet", {"number": "3"})))
    assert schema.metadata[b"synfiqa"] == b'{"number": "3"}'


def test_hugging_face_datasets_decodes_the_images(table, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    path = tmp_path / "shard.parquet"
    path.write_bytes(encode(table, "parquet", {}))
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == table.num_rows
    assert isinstance(loaded[1]["image"], Image.Image)
    assert loaded[1]["image"].size == (8, 8)
    assert loaded[1]["landmarks"] == table["landmarks"][1].as_py()


def test_webdataset_opens_the_tar(table, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    path = tmp_path / "shard.tar"
    path.write_bytes(encode(table, "webdataset", {}))
    loaded = list(webdataset.WebDataset(str(path), shardshuffle=False).decode("pil"))
    assert [item["json"]["sample_id"] for item in loaded] == table["sample_id"].to_pylist()
    assert loaded[0]["__key__"] == "000000_Ref-0"
    assert loaded[0]["jpg"].size == (8, 8)
    assert loaded[3]["json"]["index"] == table["index"][3].as_py()


def test_the_tar_command_lists_one_image_and_one_json_a_sample(table, tmp_path):
    path = tmp_path / "shard.tar"
    path.write_bytes(encode(table, "webdataset", {}))
    listed = subprocess.run(["tar", "tf", str(path)], capture_output=True, text=True, check=True).stdout.split()
    assert len(listed) == 2 * table.num_rows
    assert listed[:2] == ["000000_Ref-0.jpg", "000000_Ref-0.json"]


def test_the_tar_carries_no_owner_and_no_time(table):
    with tarfile.open(fileobj=io.BytesIO(encode(table, "webdataset", {}))) as tar:
        marks = {(member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) for member in tar}
    assert marks == {(0, 0, 0, "", "", 0o644)}


@pytest.mark.parametrize("bad", ["../../etc/x.y", "a.b", "", "a b", "é"])
def test_a_sample_id_cannot_become_an_odd_file_name(bad):
    row = dict.fromkeys(SAMPLES.names) | {"sample_id": bad}
    with pytest.raises(ValueError, match="cannot name a WebDataset sample"):
        encode(pa.Table.from_pylist([row], schema=SAMPLES), "webdataset", {})


def test_two_samples_of_one_key_are_refused():
    rows = [dict.fromkeys(SAMPLES.names) | {"sample_id": text} for text in ("a/b", "a_b")]
    with pytest.raises(ValueError, match="share the tar key 'a_b'"):
        encode(pa.Table.from_pylist(rows, schema=SAMPLES), "webdataset", {})


def test_a_number_that_is_not_json_is_refused():
    row = dict.fromkeys(SAMPLES.names) | {"sample_id": "000001/2", "blur": float("nan")}
    with pytest.raises(ValueError, match="sample 000001_2"):
        encode(pa.Table.from_pylist([row], schema=SAMPLES), "webdataset", {})
