import numpy as np
import pyarrow as pa
import pytest

from synfiqa.fiqa_train.labels import columns as label_columns
from synfiqa.fiqa_train.labels import label_rows
from synfiqa.fiqa_train.labels.columns import COLUMNS, columns, shard_rows
from synfiqa.fiqa_train.labels.fusion import fit
from synfiqa.fiqa_train.labels.label_rows import LabelRows
from synfiqa.fiqa_train.labels.severities import FACTORS
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.rows import LABELS, SAMPLES
from tests.cluster import synthetic


def rows_of(*tables):
    rows = LabelRows(sum(table.num_rows for table in tables))
    for table in tables:
        rows.add(shard_rows(table.select(list(COLUMNS))))
    return rows


def valid(name):
    """A row with components, so that only its name may be wrong."""
    return {"recognition": 0.5, "vision_language": 0.2, "measured_yaw": 3.0, "downsample": 1.0, "blur": 1.0} | {
        "sample_id": name
    }


def named(*names, kind="degraded"):
    rows = [valid(name) | {"identity": 0, "kind": kind} for name in names]
    return pa.Table.from_pylist(rows, schema=pa.schema([SAMPLES.field(name) for name in COLUMNS]))


def test_shards_come_back_as_label_rows_in_the_order_they_came():
    tables = [synthetic.samples(range(start, start + 2)) for start in (0, 2, 4)]
    rows = rows_of(*tables)
    together, labels = fit(rows.components(), 0.5)
    scale = rows.fit(RunConfig().label.model_copy(update={"spatial_weight": 0.5}), None)
    assert scale == together
    for number, table in enumerate(tables):
        degraded = table.filter(pa.compute.equal(table["kind"], "degraded"))
        shard = rows.shard(number)
        made = shard.table(shard.labels(scale))
        assert made.schema == LABELS
        for name in ("sample_id", "identity", "recognition", "vision_language"):
            assert made[name].combine_chunks().equals(degraded[name].combine_chunks())
        for name in ("yaw_rank", "raw", "quality", "group"):
            np.testing.assert_array_equal(made[name], getattr(labels, name)[number * 24 : number * 24 + 24])
    assert len(rows) == 3 * 2 * 12


def test_components_are_float32_as_stored_and_yaw_has_no_sign():
    table = synthetic.samples(range(3))
    components = rows_of(table).components()
    degraded = table.filter(pa.compute.equal(table["kind"], "degraded"))
    assert {column.dtype for column in vars(components).values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(components.yaw, np.abs(degraded["measured_yaw"].to_numpy()))


def test_a_null_component_becomes_nan_and_its_row_is_named():
    table = synthetic.samples(range(1), degraded=3)
    table = table.set_column(table.schema.get_field_index("blur"), "blur", pa.nulls(table.num_rows, pa.float32()))
    rows = rows_of(table)
    assert np.isnan(rows.components().blur).all()
    with pytest.raises(JobFailed, match=r"sample 000000/0 cannot be labelled \(.* blur nan; 3 such samples\)"):
        rows.require_valid()


@pytest.mark.parametrize("where", ["same shard", "other shard"])
@pytest.mark.parametrize("name", ["7", "000123/7", "ß/0", ""])
def test_a_name_that_two_rows_share_is_found(where, name):
    first = ["a", "000123/70", name]
    tables = [named(*first, "b", name)] if where == "same shard" else [named(*first), named("b", name)]
    with pytest.raises(JobFailed, match=rf"share one sample_id \({name}\)"):
        rows_of(*tables).require_valid()


@pytest.mark.parametrize("block", [1, 2, 3, 2**20])
def test_references_and_different_names_are_not_repeated(monkeypatch, block):
    monkeypatch.setattr(label_rows, "BLOCK", block)
    rows_of(named("a", "b", "aa", "ab"), named("a", kind="reference"), named("ba", "")).require_valid()
    with pytest.raises(JobFailed, match=r"share one sample_id \(ab\)"):
        rows_of(named("a", "b", "aa", "ab"), named("ba", "ab")).require_valid()


def test_different_names_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(label_columns, "_hashes", lambda ids: np.zeros(len(ids), np.uint64))
    rows_of(named("a", "b"), named("c", "d")).require_valid()
    with pytest.raises(JobFailed, match=r"share one sample_id \(b\)"):
        rows_of(named("a", "b"), named("c", "b")).require_valid()


def test_no_rows_are_no_rows():
    rows = rows_of(named("a", kind="reference"))
    assert len(rows) == 0
    with pytest.raises(JobFailed, match="there are no degraded samples to label"):
        rows.require_valid()


def test_names_take_a_byte_or_two_a_row():
    table = synthetic.samples(range(100), references=0, degraded=12)
    assert len(shard_rows(table).packed) < 1200 * 2 + 1000


def test_severities_of_all_shards_are_kept_where_costs_are_asked_for():
    tables = [synthetic.samples(range(start, start + 2)) for start in (0, 2)]
    rows = LabelRows(sum(table.num_rows for table in tables), FACTORS)
    for table in tables:
        rows.add(shard_rows(table.select(list(columns(costs=True))), costs=True))
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
