"""The layout of RecordIO files: records whole and in parts, headers of images, indices."""

import numpy as np
import pytest

from synfiqa.fiqa_train.training.reading.sources.recordio import parse_image, read_index, record_at
from tests.fiqa_train.training.reading.sources.record_writer import MAGIC, framed, record


@pytest.mark.parametrize(
    "data",
    [b"", b"a", b"four", b"fives", MAGIC, b"four" + MAGIC + b"and " + MAGIC, MAGIC * 3 + b"end", b"odd" + MAGIC],
    ids=repr,
)
def test_a_record_gives_its_data_back_wherever_it_stands(data):
    before = framed(b"another record")
    file = before + framed(data) + framed(b"and one more")
    assert record_at(file, len(before)) == data


def test_records_that_are_cut_or_no_records_are_errors():
    whole = framed(b"four" + MAGIC + b"more")
    for length in range(len(whole) - 1):
        with pytest.raises(ValueError, match="is cut short"):
            record_at(whole[:length], 0)
    with pytest.raises(ValueError, match="does not start with the mark"):
        record_at(whole, 4)
    with pytest.raises(ValueError, match="parts in a wrong order"):
        record_at(whole[12:], 0)


def test_an_image_record_has_one_label_or_several():
    one = parse_image(record(7.0, b"pixels"))
    assert one.labels.tolist() == [7]
    assert one.image == b"pixels"
    more = parse_image(record([7.0, 0.5, 2.0], b"pixels"))
    np.testing.assert_array_equal(more.labels, [7, 0.5, 2])
    assert more.image == b"pixels"
    with pytest.raises(ValueError, match="too short for its 2 labels"):
        parse_image(record([1.0, 2.0])[:30])
    with pytest.raises(ValueError, match="too short for an image header"):
        parse_image(b"short")


def test_an_index_is_read_in_the_order_of_the_file():
    assert list(read_index("0\t0\n2\t90\n1\t40\n\n").items()) == [(0, 0), (1, 40), (2, 90)]
    with pytest.raises(ValueError, match="lists record 3 twice"):
        read_index("3\t0\n3\t8\n")
    with pytest.raises(ValueError, match="no record number and byte in line 2"):
        read_index("3\t0\nfour\t8\n")
