"""A run opened for reading: committed rows alone, verified, and the labels that its config names."""

import pytest

import synfiqa
from synfiqa.schemas.errors import JobFailed, UserError
from tests.fiqa_train.labelled_run import make_run


@pytest.fixture
def made(tmp_path):
    return make_run(tmp_path / "run")


def test_samples_come_shard_by_shard_with_the_columns_wanted(made):
    config, storage = made
    run = synfiqa.open_run(storage.url)
    tables = list(run.samples(["sample_id", "identity"]))
    assert tables[0].column_names == ["sample_id", "identity"]
    per_identity = config.generate.references + config.generate.degraded
    assert sum(table.num_rows for table in tables) == config.generate.identities * per_identity
    assert len(run.digest) == 64


def test_labels_are_those_of_the_config_and_join_by_sample(made):
    config, storage = made
    run = synfiqa.open_run(storage.url)
    labels = run.labels()
    assert labels.equals(run.labels(config.label.name))
    assert set(labels["sample_id"].to_pylist()) <= {
        name for table in run.samples(["sample_id"]) for name in table["sample_id"].to_pylist()
    }


def test_labels_that_were_not_made_are_named(tmp_path):
    _, storage = make_run(tmp_path / "run", labels=False)
    with pytest.raises(UserError, match="run `synfiqa label` first"):
        synfiqa.open_run(storage.url).labels()


def test_damage_is_named_instead_of_read(made):
    _, storage = made
    damaged = next(path for path in storage.list("samples"))
    storage.write(damaged, b"other bytes")
    with pytest.raises(JobFailed, match=damaged.split("/")[-1][:12]):
        list(synfiqa.open_run(storage.url).samples())


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(UserError, match="run"):
        synfiqa.open_run(str(tmp_path))
