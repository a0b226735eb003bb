"""Training sets of InsightFace as a source."""

import numpy as np
import pytest

from synfiqa.fiqa_train.training.reading.sources.open_source import open_source
from synfiqa.fiqa_train.training.reading.sources.recordio_file import RUN_ROWS, RecordFile
from synfiqa.schemas.config.train_data import SourceSection
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import encoded, picture
from tests.fiqa_train.training.reading.fake_source import reader
from tests.fiqa_train.training.reading.sources.record_writer import write_records

PEOPLE = [[encoded(10 * person + number) for number in range(count)] for person, count in enumerate((3, 1, 4))]


@pytest.mark.parametrize("listed", [True, False], ids=["with identities", "images alone"])
def test_every_image_is_read_with_its_identity(tmp_path, listed):
    write_records(tmp_path, PEOPLE, listed=listed)
    source = RecordFile.of("casia", str(tmp_path))
    assert source.identities == {0: 3, 1: 1, 2: 4}
    (batch,) = reader([source], channels="rgb", batch_size=8).batches(0)
    assert sorted(batch.classes.tolist()) == [0, 0, 0, 1, 2, 2, 2, 2]
    (row,) = (batch.classes == 1).nonzero()
    np.testing.assert_array_equal(batch.images[int(row)].numpy(), picture(10).transpose(2, 0, 1))


def test_a_piece_has_runs_from_all_over_the_file(tmp_path):
    write_records(tmp_path, [[b"image"] * 40 for _ in range(40)])
    source = RecordFile.of("casia", str(tmp_path))
    assert [piece.rows for piece in source.pieces] == [448, 384, 384, 384]
    for piece in source.pieces:
        assert len(set(source.read(piece).identity)) >= 12, f"neighbouring records alone are of {RUN_ROWS * 8 // 40}"
    names = [name for piece in source.pieces for name in source.read(piece).names]
    assert sorted(map(int, names)) == list(range(1, 1601))


def test_a_csv_names_records_by_number(tmp_path):
    write_records(tmp_path, PEOPLE)
    (tmp_path / "scores.csv").write_text("path,score\n4,0.5\n8.jpg,0.25\n")
    section = SourceSection(name="casia", url=str(tmp_path), format="recordio", scores=str(tmp_path / "scores.csv"))
    source = open_source(section)
    rows = source.read(source.pieces[0])
    assert {n: q for n, q in zip(rows.names, rows.quality.tolist(), strict=True) if q == q} == {"4": 0.5, "8": 0.25}


@pytest.mark.parametrize("listed", [True, False])
def test_a_file_that_is_cut_short_is_named_with_the_record(tmp_path, listed):
    places = write_records(tmp_path, PEOPLE, listed=listed)
    path = tmp_path / "train.rec"
    whole = path.read_bytes()
    path.write_bytes(whole[: places[6] + 20])
    with pytest.raises(UserError, match=r"'casia': record 7 of .*train\.rec lies beyond its end; download"):
        RecordFile.of("casia", str(tmp_path))
    last = max(places)
    path.write_bytes(whole[:-4])
    with pytest.raises(UserError, match=rf"record {last} of .*train\.rec is cut short"):
        RecordFile.of("casia", str(tmp_path))


def test_a_damaged_record_is_named(tmp_path):
    places = write_records(tmp_path, PEOPLE)
    source = RecordFile.of("casia", str(tmp_path))
    path = tmp_path / "train.rec"
    data = bytearray(path.read_bytes())
    data[places[5]] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"record 5 of .*train\.rec does not start with the mark of a record"):
        list(reader([source], batch_size=8).batches(0))


def test_an_image_that_cannot_be_used_is_named(tmp_path):
    write_records(tmp_path, [[encoded(1), encoded(2, size=100)]])
    with pytest.raises(UserError, match=r"record 2 of .*train\.rec has 100 x 100 pixels, not 112 x 112: align it"):
        list(reader([RecordFile.of("casia", str(tmp_path))], batch_size=2).batches(0))
    write_records(tmp_path, [[encoded(1), b"no image"]])
    with pytest.raises(UserError, match=r"record 2 of .*train\.rec cannot be read"):
        list(reader([RecordFile.of("casia", str(tmp_path))], batch_size=2).batches(0))


def test_an_incomplete_folder_and_a_repeated_record_are_refused(tmp_path):
    write_records(tmp_path, PEOPLE)
    index = tmp_path / "train.idx"
    index.write_text(index.read_text() + "3\t0\n")
    with pytest.raises(UserError, match=r"train\.idx lists record 3 twice"):
        RecordFile.of("casia", str(tmp_path))
    index.unlink()
    with pytest.raises(UserError, match=r"lacks train\.rec or train\.idx; give the folder of both"):
        RecordFile.of("casia", str(tmp_path))
