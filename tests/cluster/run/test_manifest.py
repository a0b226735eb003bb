import threading

import pytest

from synfiqa.cluster.run.manifest import OtherVersion, RecipeChanged, load_run, open_run, planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.rows import SCHEMA_VERSION
from tests.cluster import synthetic
from tests.cluster.synthetic import MODELS


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    return Storage(str(tmp_path / "run") if request.param == "local" else f"memory://{tmp_path.name}/run")


def test_a_new_folder_becomes_a_run_and_stays_it(storage):
    made = open_run(storage, RunConfig(), MODELS)
    assert storage.list() == ["run.json"]
    assert made.models == MODELS
    assert open_run(storage, RunConfig(), MODELS) == made
    assert load_run(storage) == made


def test_an_existing_empty_folder_will_do(tmp_path):
    (tmp_path / ".DS_Store").write_text("")
    open_run(Storage(str(tmp_path)), RunConfig(), MODELS)


def test_settings_outside_the_recipe_may_change(storage):
    made = open_run(storage, RunConfig(), MODELS)
    changed = RunConfig.model_validate({"placement": {"workers": 4}, "label": {"spatial_weight": 1}})
    assert open_run(storage, changed, MODELS) == made


def test_a_changed_recipe_is_refused_field_by_field_and_nothing_is_written(storage):
    open_run(storage, RunConfig(), MODELS)
    before = storage.read("run.json")
    changed = RunConfig.model_validate({"generate": {"identities": 80}, "run": {"seed": 3}})
    with pytest.raises(UserError, match=r"generate.identities: 64 -> 80; seed: 0 -> 3.*--run.*restore"):
        open_run(storage, changed, MODELS)
    with pytest.raises(UserError, match=r"model_digests\.bundled-a: 000"):
        open_run(storage, RunConfig(), {"bundled-a": "1" * 64})
    assert storage.read("run.json") == before
    assert storage.list() == ["run.json"]


def test_a_foreign_folder_is_refused_naming_a_few_files(storage):
    for name in ("thesis.tex", "photos/a.jpg", "b.txt", "c.txt"):
        storage.write(name, b"precious")
    with pytest.raises(UserError, match=r"holds other files \(b.txt, c.txt, photos, ...\).*--run"):
        open_run(storage, RunConfig(), MODELS)
    assert len(storage.list()) == 4


@pytest.mark.parametrize("text", [b"", b"{}", b"not json", b'{"fingerprint": 3}'])
def test_a_damaged_manifest_is_the_users_to_restore(storage, text):
    storage.write("run.json", text)
    with pytest.raises(UserError, match=r"run.json is not readable"):
        open_run(storage, RunConfig(), MODELS)
    with pytest.raises(UserError, match=r"run.json is not readable"):
        load_run(storage)


def test_reading_jobs_ask_for_generate_first(storage):
    with pytest.raises(UserError, match="run `synfiqa generate` first"):
        load_run(storage)
    assert storage.list() == []


def test_a_folder_of_another_version_is_told_as_such_not_field_by_field(storage):
    made = open_run(storage, RunConfig(), MODELS)
    storage.write("run.json", made.model_copy(update={"schema_version": 4}).model_dump_json().encode())
    with pytest.raises(OtherVersion, match=f"version 4, and this program reads version {SCHEMA_VERSION}; use the syn"):
        load_run(storage)
    assert load_run(storage, any_version=True).schema_version == 4
    changed = RunConfig.model_validate({"run": {"seed": 3}})
    with pytest.raises(RecipeChanged, match=r"is a run folder of version 4.*--run.*--new-generation") as told:
        open_run(storage, changed, MODELS)
    assert "seed" not in str(told.value)


def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to the run folder"):
        open_run(Storage(str(tmp_path / "file" / "run")), RunConfig(), MODELS)


def test_a_manifest_that_cannot_be_read_is_not_taken_for_a_missing_one(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(UserError, match=r"cannot read .*run.json: a folder stands .*--run"):
        open_run(Storage(str(tmp_path)), RunConfig(), MODELS)


def test_no_secret_enters_the_manifest(storage):
    config = RunConfig.model_validate(
        {"run": {"url": "s3://KEY:SECRET@b/x?token=T0K"}, "label": {"calibration": "https://u:SECRET@h/c.json?sig=T0K"}}
    )
    open_run(storage, config, MODELS)
    text = storage.read("run.json").decode()
    assert "SECRET" not in text
    assert "T0K" not in text
    assert "s3://b/x" in text


def test_jobs_that_start_together_agree(storage):
    start, made = threading.Barrier(4), []

    def submit():
        start.wait()
        made.append(open_run(storage, RunConfig(), MODELS))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert {manifest.fingerprint for manifest in made} == {load_run(storage).fingerprint}
    assert all(manifest == made[0] for manifest in made)


@pytest.mark.parametrize(("identities", "per_shard", "shards"), [(1, 8, 1), (8, 8, 1), (9, 8, 2), (64, 1, 64)])
def test_planned_shards_round_up(storage, identities, per_shard, shards):
    manifest = open_run(storage, synthetic.config(identities, per_shard), MODELS)
    assert planned_shards(manifest) == shards
