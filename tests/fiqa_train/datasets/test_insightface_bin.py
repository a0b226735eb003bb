"""A .bin is converted once, its equal images are one, and the converted file is a set of its own."""

import json
import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest

import synfiqa.fiqa_train.datasets.insightface_bin as packed
from synfiqa.actors.imaging.codec import decode
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.fiqa_train.datasets.insightface_bin import open_bin
from synfiqa.schemas.errors import JobFailed, UserError
from tests.fiqa_train.small_photos import encoded, picture, read_all


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNFIQA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "test-sets"


def write(path, seeds, genuine, size=112):
    path.write_bytes(pickle.dumps(([encoded(seed, size) for seed in seeds], genuine)))
    return path


def test_images_and_pairs_are_those_of_the_file(tmp_path, cache):
    path = write(tmp_path / "lfw.bin", [0, 1, 2, 0, 1, 2], [True, False, True])
    found = open_bin("lfw", path)
    assert found.ids == ("00000", "00001", "00002")
    assert found.identity is None
    pairs = sorted(zip(found.pairs.first, found.pairs.second, found.pairs.genuine, strict=True))
    assert pairs == [(0, 1, True), (0, 2, False), (1, 2, True)]
    images, reasons = read_all(found)
    np.testing.assert_array_equal(images, [picture(seed) for seed in range(3)])
    assert reasons == [""] * 3
    (file,) = cache.iterdir()
    assert file.name == f"lfw-{found.sha256[:16]}-v1.parquet"


def test_it_is_converted_once_and_again_when_the_file_changes(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "lfw.bin", [0, 1], [True])
    first = open_bin("lfw", path)
    kept = packed._convert
    monkeypatch.setattr(packed, "_convert", lambda *_: pytest.fail("it was converted again"))
    assert open_bin("lfw", path).sha256 == first.sha256
    monkeypatch.setattr(packed, "_convert", kept)
    write(path, [0, 2], [True])
    assert open_bin("lfw", path).sha256 != first.sha256
    assert len(list(cache.iterdir())) == 2


def test_the_converted_file_is_a_set_that_others_can_read(tmp_path, cache):
    found = open_bin("lfw", write(tmp_path / "lfw.bin", [0, 1, 2, 3], [True, False]))
    (file,) = cache.iterdir()
    (again,) = open_test_sets([f"copy={file}"])
    assert (again.ids, again.format) == (found.ids, "converted set")
    np.testing.assert_array_equal(again.pairs.genuine, found.pairs.genuine)
    table = pq.read_table(file)
    assert table.column_names == ["id", "image", "partner", "genuine"]
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    np.testing.assert_array_equal(decode(table["image"][3].as_py()["bytes"]), picture(3))


def test_square_crops_of_another_size_are_brought_to_112(tmp_path):
    images, _ = read_all(open_bin("lfw", write(tmp_path / "a.bin", [0, 1], [True], size=224)))
    assert images.shape == (2, 112, 112, 3)
    assert np.abs(images[0].astype(int) - picture(0)).mean() < 3


def test_other_shapes_and_damage_are_refused_by_pair_and_leave_no_file(tmp_path, cache):
    from io import BytesIO

    from PIL import Image

    wide = BytesIO()
    Image.fromarray(np.zeros((112, 96, 3), np.uint8)).save(wide, format="PNG")
    good = encoded(0)
    for bad, told in ((wide.getvalue(), "96 x 112 pixels"), (b"\xff\xd8 damaged", "image")):
        path = tmp_path / "bad.bin"
        path.write_bytes(pickle.dumps(([good, encoded(1), good, bad], [True, False])))
        with pytest.raises(UserError, match=rf"bad\.bin is no verification set \(image 3 of pair 1: .*{told}"):
            open_bin("lfw", path)
    assert not cache.exists()


def test_a_damaged_converted_file_is_named_with_the_way_out(tmp_path, cache):
    path = write(tmp_path / "lfw.bin", range(20), [True] * 10)
    open_bin("lfw", path)
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    at = content.index(encoded(7)) + 40
    content[at] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(JobFailed, match=r"is damaged .* converts the source again"):
        read_all(open_bin("lfw", path))
    file.write_bytes(bytes(content[:200]))
    with pytest.raises(UserError, match=r"damaged set .* remove it"):
        open_bin("lfw", path)


def test_another_parquet_file_is_refused(tmp_path):
    import pyarrow as pa

    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match="no converted set of version 1"):
        open_test_sets([f"x={tmp_path / 'other.parquet'}"])
