"""Parquet files as a source: those of an export, and of others."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synfiqa.fiqa_train.training.reading.sources.parquet_files import ParquetFiles
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import encoded
from tests.fiqa_train.training.reading.fake_source import reader


def write(path, columns, rows_of_group=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=rows_of_group, write_page_checksum=True)
    return path


def columns(first=0, count=10, **more):
    images = [encoded(first + number) for number in range(count)]
    return {"image": images, "identity": [(first + number) // 3 for number in range(count)]} | more


def test_a_piece_is_a_row_group_and_every_row_is_read(tmp_path):
    write(tmp_path / "a.parquet", columns(quality=[0.1 * number for number in range(9)] + [None]))
    write(tmp_path / "more" / "b.parquet", columns(30, 6, quality=[1.0] * 6))
    source = ParquetFiles.of("other", str(tmp_path))
    assert [piece.rows for piece in source.pieces] == [4, 4, 2, 4, 2]
    assert source.identities == {0: 3, 1: 3, 2: 3, 3: 1, 10: 3, 11: 3}
    rows = [source.read(piece) for piece in source.pieces]
    assert [data for part in rows for data in part.encoded] == [encoded(n) for n in (*range(10), *range(30, 36))]
    quality = np.concatenate([part.quality for part in rows])
    np.testing.assert_allclose(quality[:9], np.arange(9) / 10, atol=1e-6)
    assert np.isnan(quality[9])
    assert rows[0].names[1] == "a.parquet:0:1"


def test_images_of_hugging_face_and_text_identities_are_read(tmp_path):
    structs = [{"bytes": encoded(number), "path": None} for number in range(4)]
    write(tmp_path / "a.parquet", {"image": structs, "label": ["x", "y", None, "x"], "path": list("abcd")})
    source = ParquetFiles.of("other", str(tmp_path / "a.parquet"))
    assert source.identities == {"x": 2, "y": 1}
    (batch,) = reader([source], batch_size=4).batches(0)
    assert sorted(batch.classes.tolist()) == [-1, 0, 0, 1]
    assert batch.quality.isnan().all()


def test_a_csv_replaces_the_labels(tmp_path):
    write(tmp_path / "a.parquet", columns(count=3, quality=[0.1] * 3, sample_id=["p/1", "p/2", "p/3"]))
    (tmp_path / "scores.csv").write_text("path,score\np/2.jpg,0.75\n")
    source = ParquetFiles.of("other", str(tmp_path), scores=str(tmp_path / "scores.csv"))
    quality = source.read(source.pieces[0]).quality
    assert quality[1] == 0.75
    assert np.isnan(quality[[0, 2]]).all()


def test_a_row_without_an_image_and_one_that_is_no_image_are_named(tmp_path):
    write(tmp_path / "a.parquet", columns(count=2) | {"image": [encoded(1), None]})
    with pytest.raises(UserError, match=r"the image a\.parquet:0:1 is missing"):
        list(reader([ParquetFiles.of("other", str(tmp_path))], batch_size=2).batches(0))
    write(tmp_path / "a.parquet", columns(count=2, path=["p/1", "p/2"]) | {"image": [encoded(1), b"nothing"]})
    with pytest.raises(UserError, match="'other': the image p/2 cannot be read"):
        list(reader([ParquetFiles.of("other", str(tmp_path))], batch_size=2).batches(0))


def test_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds no Parquet file"):
        ParquetFiles.of("other", str(tmp_path))
    write(tmp_path / "a.parquet", {"image": [b""], "person": [1]})
    with pytest.raises(UserError, match="lacks a column image or identity or label; it has image, person"):
        ParquetFiles.of("other", str(tmp_path))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(UserError, match=r"a\.parquet is no readable Parquet file"):
        ParquetFiles.of("other", str(tmp_path))


def test_changed_bytes_of_a_file_are_an_error(tmp_path):
    path = write(tmp_path / "a.parquet", columns(count=4))
    source = ParquetFiles.of("other", str(tmp_path))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"a\.parquet is no readable Parquet file"):
        source.read(source.pieces[0])
