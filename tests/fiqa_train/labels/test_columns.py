import numpy as np
import pyarrow as pa
import pytest

from synfiqa.fiqa_train.labels import columns as label_rows
from synfiqa.fiqa_train.labels.columns import COLUMNS, LabelRows, columns
from synfiqa.fiqa_train.labels.fusion import fit
from synfiqa.fiqa_train.labels.severities import FACTORS
from synfiqa.schemas.rows import LABELS, SAMPLES
from tests.cluster import synthetic


def rows_of(*tables):
    rows = LabelRows(sum(table.num_rows for table in tables))
    for table in tables:
        rows.add(table.select(list(COLUMNS)))
    return rows


def named(*names, kind="degraded"):
    rows = [dict.fromkeys(COLUMNS) | {"sample_id": name, "identity": 0, "kind": kind} for name in names]
    return pa.Table.from_pylist(rows, schema=pa.schema([SAMPLES.field(name) for name in COLUMNS]))


def test_shards_come_back_as_label_rows_in_the_order_they_came():
    tables = [synthetic.samples(range(start, start + 2)) for start in (0, 2, 4)]
    rows = rows_of(*tables)
    _, labels = fit(rows.components(), 0.5)
    for number, table in enumerate(tables):
        degraded = table.filter(pa.compute.equal(table["kind"], "degraded"))
        made = rows.labelled(number, labels)
        assert made.schema == LABELS
        for name in ("sample_id", "identity", "recognition", "vision_language"):
            assert made[name].combine_chunks().equals(degraded[name].combine_chunks())
        np.testing.assert_array_equal(made["raw"], labels.raw[number * 24 : number * 24 + 24])
    assert len(rows) == 3 * 2 * 12
    assert [rows.sample_id(row) for row in (0, 23, 24, 71)] == ["000000/0", "000001/11", "000002/0", "000005/11"]


def test_components_are_float32_as_stored_and_yaw_has_no_sign():
    table = synthetic.samples(range(3))
    components = rows_of(table).components()
    degraded = table.filter(pa.compute.equal(table["kind"], "degraded"))
    assert {column.dtype for column in vars(components).values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(components.yaw, np.abs(degraded["measured_yaw"].to_numpy()))


def test_a_null_component_becomes_nan():
    assert np.isnan(rows_of(named("a")).components().blur).all()


@pytest.mark.parametrize("where", ["same shard", "other shard"])
@pytest.mark.parametrize("name", ["7", "000123/7", "ß/0", ""])
def test_a_name_that_two_rows_share_is_found(where, name):
    first = ["a", "000123/70", name]
    tables = [named(*first, "b", name)] if where == "same shard" else [named(*first), named("b", name)]
    assert rows_of(*tables).repeated_id() == name


def test_references_and_different_names_are_not_repeated():
    assert rows_of(named("a", "b", "aa", "ab"), named("a", kind="reference"), named("ba", "")).repeated_id() is None


def test_different_names_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(label_rows, "_hashes", lambda ids: np.zeros(len(ids), np.uint64))
    assert rows_of(named("a", "b"), named("c", "d")).repeated_id() is None
    assert rows_of(named("a", "b"), named("c", "b")).repeated_id() == "b"


def test_no_rows_are_no_rows():
    rows = rows_of(named("a", kind="reference"))
    assert len(rows) == 0
    assert rows.repeated_id() is None


def test_severities_of_all_shards_are_kept_where_costs_are_asked_for():
    tables = [synthetic.samples(range(start, start + 2)) for start in (0, 2)]
    rows = LabelRows(sum(table.num_rows for table in tables), costs=True)
    for table in tables:
        rows.add(table.select(list(columns(costs=True))))
    degraded = [table.filter(pa.compute.equal(table["kind"], "degraded")) for table in tables]
    found = rows.severities()
    assert tuple(found) == FACTORS
    blur = np.concatenate([table["blur"].to_numpy() for table in degraded])
    np.testing.assert_array_equal(found["blur"], np.log(blur))
    np.testing.assert_array_equal(found["yaw"], rows.components().yaw)


def test_ranks_need_no_further_columns():
    rows = rows_of(synthetic.samples(range(2)))
    assert rows.severities() is None
    assert columns() == COLUMNS
    assert set(columns(costs=True)) > set(COLUMNS)
    assert len(set(columns("bundled-b", costs=True))) == len(columns("bundled-b", costs=True))
