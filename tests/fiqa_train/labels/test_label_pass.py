import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from scipy.special import expit

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Catalogue, bundled
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run, open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.costs import fit_costs, kept
from synfiqa.fiqa_train.labels.fusion import Components, fit
from synfiqa.fiqa_train.labels.label_pass import read_calibration, read_labels, run_label
from synfiqa.fiqa_train.labels.severities import flat_columns, severities
from synfiqa.jobs.workflows.whole_run import run_all
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.rows import LABELS
from tests.cluster import synthetic
from tests.jobs.report_page import synthetic_run


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "run")


def committed_samples(storage):
    store = ShardStore(storage, load_run(storage).fingerprint)
    return pa.concat_tables(store.tables("samples"))


def with_sample(storage, run, change):
    """Commit shard 0 with one degraded sample changed."""
    manifest = open_run(storage, run, synthetic.MODELS)
    rows = synthetic.samples(range(run.generate.identities)).to_pylist()
    change(next(row for row in rows if row["sample_id"] == "000001/5"))
    table = pa.Table.from_pylist(rows, schema=synthetic.SAMPLES)
    ShardStore(storage, manifest.fingerprint).commit("samples", 0, table, {})


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_every_degraded_sample_gets_its_own_label(url, format):
    run = synthetic.config(storage={"format": format})
    storage, manifest = synthetic.dataset(url, run)
    summary = run_label(run, storage)
    labels = read_labels(storage, "default")
    assert labels.schema == LABELS
    samples = committed_samples(storage)
    degraded = samples.filter(pc.equal(samples["kind"], "degraded"))
    assert labels["sample_id"].equals(degraded["sample_id"])
    assert labels["identity"].equals(degraded["identity"])
    column = {name: degraded[name].to_numpy().astype(float) for name in ("recognition", "vision_language")}
    yaw, downsample, blur = (degraded[name].to_numpy().astype(float) for name in ("measured_yaw", "downsample", "blur"))
    _, expected = fit(Components(**column, yaw=abs(yaw), downsample=downsample, blur=blur), 0.5)
    for name in ("raw", "quality", "spatial", "yaw_rank", "downsample_rank", "blur_rank"):
        np.testing.assert_array_equal(labels[name].to_numpy(), getattr(expected, name))
    assert labels["group"].to_pylist() == list(expected.group)
    assert summary["samples"] == labels.num_rows == 12 * 12
    assert summary["parts"] == 3
    assert not summary["reused"]
    calibration = read_calibration(storage, "default")
    assert calibration.fingerprint == manifest.fingerprint
    assert calibration.dataset_sha256 == ShardStore(storage, manifest.fingerprint).dataset_digest()


def test_labels_do_not_depend_on_how_identities_are_cut_into_shards(tmp_path):
    tables = []
    for per_shard in (1, 5, 12):
        run = synthetic.config(12, per_shard)
        storage, _ = synthetic.dataset(str(tmp_path / str(per_shard)), run)
        run_label(run, storage)
        tables.append(read_labels(storage, "default").combine_chunks())
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_a_second_pass_writes_nothing(url, monkeypatch):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    first = run_label(run, storage)
    files = {path: storage.read(path) for path in storage.list()}
    monkeypatch.setattr(Storage, "write", lambda *_: pytest.fail("wrote"))
    assert run_label(run, storage) == first | {"reused": True}
    assert {path: storage.read(path) for path in storage.list()} == files


def test_the_same_name_cannot_hold_other_labels(url):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    run_label(run, storage)
    heavier = synthetic.config(label={"spatial_weight": 0.7})
    with pytest.raises(
        UserError, match=r"label.spatial_weight: 0.5 -> 0.7.*another label.name, or delete labels/default"
    ):
        run_label(heavier, storage)
    other = synthetic.config(label={"spatial_weight": 0.7, "name": "heavier"})
    run_label(other, storage)
    assert read_calibration(storage, "heavier").scale.spatial_weight == 0.7
    assert read_calibration(storage, "default").scale.spatial_weight == 0.5


def test_data_that_changed_under_a_name_is_refused(url):
    run = synthetic.config()
    storage, manifest = synthetic.dataset(url, run)
    run_label(run, storage)
    ShardStore(storage, manifest.fingerprint).commit("samples", 3, synthetic.samples(range(12, 14)), {})
    with pytest.raises(UserError, match="dataset digest"):
        run_label(run, storage)


@pytest.mark.parametrize("steps", range(1, 5))
def test_a_pass_that_dies_leaves_no_labels_and_the_next_one_finishes(url, steps, monkeypatch):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    left = [steps]

    def dying(operation):
        def step(self, path, data):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return operation(self, path, data)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "write", dying(Storage.write))
        patch.setattr(Storage, "create", dying(Storage.create))
        with pytest.raises(KeyboardInterrupt):
            run_label(run, storage)
    with pytest.raises(UserError, match="run `synfiqa label` first"):
        read_labels(storage, "default")
    run_label(run, storage)
    assert read_labels(storage, "default").num_rows == 144
    parts = [path for path in storage.list("labels") if path.endswith(".parquet")]
    assert len(parts) == 3


def test_a_frozen_scale_labels_new_data_and_keeps_old_labels(tmp_path):
    first_run = synthetic.config(8)
    first, _ = synthetic.dataset(str(tmp_path / "first"), first_run)
    run_label(first_run, first)
    frozen = {"calibration": str(tmp_path / "first" / "labels" / "default" / "calibration.json")}
    larger_run = synthetic.config(12, label=frozen)
    larger, _ = synthetic.dataset(str(tmp_path / "larger"), larger_run)
    summary = run_label(larger_run, larger)
    old, new = read_labels(first, "default"), read_labels(larger, "default")
    assert new.num_rows == 144
    assert new.slice(0, old.num_rows).combine_chunks().equals(old.combine_chunks())
    assert summary["clipped"] == read_calibration(larger, "default").clipped
    assert max(new["quality"].to_pylist()) <= 1
    assert run_label(larger_run, larger)["reused"]
    with pytest.raises(UserError, match=r"label.calibration: [0-9a-f]{12} -> none"):
        run_label(synthetic.config(12), larger)


def test_a_frozen_scale_may_live_on_any_store(tmp_path):
    run = synthetic.config(4)
    storage, _ = synthetic.dataset(f"memory://{tmp_path.name}/first", run)
    run_label(run, storage)
    frozen = synthetic.config(
        4, label={"name": "copy", "calibration": f"memory://{tmp_path.name}/first/labels/default/calibration.json"}
    )
    run_label(frozen, storage)
    assert read_labels(storage, "copy").equals(read_labels(storage, "default"))


def test_a_frozen_scale_brings_its_own_weight(tmp_path):
    run = synthetic.config(4, label={"spatial_weight": 0.25})
    storage, _ = synthetic.dataset(str(tmp_path), run)
    run_label(run, storage)
    frozen = synthetic.config(4, label={"name": "b", "calibration": str(tmp_path / "labels/default/calibration.json")})
    with pytest.raises(UserError, match=r"spatial_weight is 0.5 but .* with 0.25"):
        run_label(frozen, storage)


@pytest.mark.parametrize("content", [None, b"{}", b"no json"])
def test_an_unusable_frozen_scale_is_named(tmp_path, url, content):
    path = tmp_path / "calibration.json"
    if content is not None:
        path.write_bytes(content)
    run = synthetic.config(4, label={"calibration": str(path)})
    storage, _ = synthetic.dataset(url, run)
    with pytest.raises(UserError, match=r"calibration.json"):
        run_label(run, storage)
    assert storage.list("labels") == []


def test_an_unfinished_dataset_is_not_labelled(url):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run, shards=range(2))
    with pytest.raises(JobFailed, match="generate has not finished: 2 of 3 shards"):
        run_label(run, storage)


def test_a_folder_that_is_no_run_is_the_users_error(url):
    with pytest.raises(UserError, match="synfiqa generate"):
        run_label(synthetic.config(), Storage(url))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("recognition", float("nan")),
        ("measured_yaw", None),
        ("blur", float("inf")),
        ("vision_language", 1.0),
        ("vision_language", 1.2),
    ],
)
def test_a_sample_without_valid_components_is_named(url, column, value):
    run = synthetic.config(4)
    storage = Storage(url)
    with_sample(storage, run, lambda row: row.update({column: value}))
    with pytest.raises(JobFailed, match=r"sample 000001/5 cannot be labelled \(.*; 1 such samples\)"):
        run_label(run, storage)
    assert storage.list("labels") == []


def test_components_of_references_do_not_matter(url):
    run = synthetic.config(4)
    storage = Storage(url)
    with_sample(storage, run, lambda row: row.update(kind="reference", sample_id="000001/Ref-9", measured_yaw=None))
    assert run_label(run, storage)["samples"] == 4 * 12 - 1


def test_a_sample_id_that_occurs_twice_is_refused(url):
    run = synthetic.config(4)
    storage = Storage(url)
    with_sample(storage, run, lambda row: row.update(sample_id="000001/6"))
    with pytest.raises(JobFailed, match=r"share one sample_id \(000001/6\)"):
        run_label(run, storage)


def test_one_sample_cannot_be_scaled(url):
    run = synthetic.config(1, 1)
    storage = Storage(url)
    manifest = open_run(storage, run, synthetic.MODELS)
    ShardStore(storage, manifest.fingerprint).commit("samples", 0, synthetic.samples(range(1), degraded=1), {})
    with pytest.raises(JobFailed, match="cannot be scaled: all 1 raw labels equal"):
        run_label(run, storage)


def test_a_damaged_label_part_is_named(url):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    run_label(run, storage)
    part = read_calibration(storage, "default").parts[1].path
    storage.write(part, storage.read(part)[:-1] + b"?")
    with pytest.raises(JobFailed, match=rf"{part} is damaged"):
        read_labels(storage, "default")


def test_every_shard_is_read_once(url, monkeypatch):
    """Shards hold the images: a second look at them would double the traffic of a pass."""
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    read, seen = ShardStore.read, []
    monkeypatch.setattr(ShardStore, "read", lambda *a: seen.append(a[1].number) or read(*a))
    run_label(run, storage)
    assert seen == [0, 1, 2]


def test_progress_counts_every_shard_twice(url):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    seen = []
    run_label(run, storage, lambda done, planned: seen.append((done, planned)))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_the_calibration_is_plain_json_with_everything_to_reuse_it(url):
    run = synthetic.config(4)
    storage, _ = synthetic.dataset(url, run)
    run_label(run, storage)
    document = json.loads(storage.read("labels/default/calibration.json"))
    assert document["scale"]["samples"] == 48
    assert document["scale"]["spatial_weight"] == 0.5
    assert [part["rows"] for part in document["parts"]] == [48]


BESIDE = {"models": {"more_embedders": ["bundled-b"]}}


def beside(cosine):
    """Give every sample an f_r by bundled-b too."""

    def change(rows):
        for row in rows:
            row["more_recognition"] = [
                {"embedder": "another", "cosine": 0.5},
                {"embedder": "bundled-b", "cosine": cosine(row)},
            ]

    return change


def run_with_beside(url, run, cosine):
    storage = Storage(url)
    manifest = open_run(storage, run, synthetic.MODELS)
    rows = synthetic.samples(range(run.generate.identities)).to_pylist()
    beside(cosine)(rows)
    store = ShardStore(storage, manifest.fingerprint)
    for number in range(3):
        part = [row for row in rows if row["identity"] // 4 == number]
        store.commit("samples", number, pa.Table.from_pylist(part, schema=synthetic.SAMPLES), {})
    return storage


def test_the_label_takes_the_embedder_it_names_of_those_measured_at_once(url):
    run = synthetic.config(**BESIDE)
    storage = run_with_beside(url, run, lambda row: -row["recognition"])
    own, other = (
        synthetic.config(**BESIDE, label={"name": name, "embedder": embedder})
        for name, embedder in (("own", "bundled-a"), ("other", "bundled-b"))
    )
    run_label(own, storage)
    run_label(other, storage)
    mine, theirs = (read_labels(storage, name)["recognition"].to_numpy() for name in ("own", "other"))
    np.testing.assert_array_equal(theirs, -mine)
    assert read_calibration(storage, "own").embedder == "bundled-a"
    assert read_calibration(storage, "other").embedder == "bundled-b"


def test_labels_of_another_embedder_are_not_taken_for_those_asked_for(url):
    run = synthetic.config(**BESIDE)
    storage = run_with_beside(url, run, lambda row: 0.3)
    run_label(run, storage)
    with pytest.raises(UserError, match="embedder: bundled-a -> bundled-b"):
        run_label(synthetic.config(**BESIDE, label={"embedder": "bundled-b"}), storage)


def test_a_cosine_that_was_not_measured_is_said_so(url):
    run = synthetic.config(**BESIDE)
    storage, _ = synthetic.dataset(url, run)
    with pytest.raises(JobFailed, match="recognition nan"):
        run_label(synthetic.config(**BESIDE, label={"embedder": "bundled-b"}), storage)


def test_an_embedder_that_the_run_does_not_measure_is_refused_before_anything_starts():
    with pytest.raises(ValueError, match=r"label.embedder is bundled-b.*models.more_embedders"):
        synthetic.config(label={"embedder": "bundled-b"})


def test_the_run_knows_its_embedder_and_not_todays_config(url):
    """A config edited after generating once labelled with the cosines of one network under the name of another."""
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    edited = synthetic.config(models={"embedder": "bundled-b", "evaluation_embedder": "bundled-a"})
    run_label(edited, storage)
    assert read_calibration(storage, "default").embedder == "bundled-a"


def test_a_calibration_of_another_embedder_is_no_scale_for_these_samples(url, tmp_path):
    run = synthetic.config(**BESIDE)
    storage = run_with_beside(url, run, lambda row: 0.3 + row["recognition"] / 2)
    run_label(synthetic.config(**BESIDE, label={"name": "other", "embedder": "bundled-b"}), storage)
    frozen = {"name": "frozen", "calibration": f"{url}/labels/other/calibration.json"}
    with pytest.raises(UserError, match=r"fitted with the embedder bundled-b, .* measured with bundled-a"):
        run_label(synthetic.config(**BESIDE, label=frozen), storage)


COSTS = {"spatial": "costs", "spatial_weight": 0.35, "vision_language_weight": 0.25}
MATCH = {"match_threshold": 0.55, "match_width": 0.1}


def harmed(folder, identities=12, **sections):
    """A run whose f_r falls with yaw, s and b, labelled."""
    run = synthetic_run.config(identities, run={"url": str(folder)}, **sections)
    storage = Storage(str(folder))
    synthetic_run.make_samples(synthetic_run.make_ledger(storage, run), run)
    return run, storage, run_label(run, storage)


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_labels_by_costs_take_what_the_shards_hold_of_every_factor(tmp_path, format):
    _, storage, summary = harmed(tmp_path, label=COSTS, storage={"format": format})
    assert (summary["spatial"], summary["spatial_weight"], summary["vision_language_weight"]) == ("costs", 0.35, 0.25)
    samples = committed_samples(storage)
    degraded = samples.filter(pc.equal(samples["kind"], "degraded"))
    labels, costs = read_labels(storage, "default"), read_calibration(storage, "default").scale.costs
    found = severities(flat_columns(degraded))
    np.testing.assert_array_equal(labels["spatial"].to_numpy(), kept(costs, found))
    assert costs == fit_costs(found, degraded["recognition"].to_numpy())
    assert {"yaw", "blur", "downsample"} <= {cost.factor for cost in costs.factors}


def test_a_frozen_scale_of_costs_labels_new_data_and_keeps_old_labels(tmp_path):
    _, first, _ = harmed(tmp_path / "first", 8, label=COSTS)
    frozen = COSTS | {"calibration": str(tmp_path / "first" / "labels" / "default" / "calibration.json")}
    run, larger, _ = harmed(tmp_path / "larger", 12, label=frozen)
    old, new = read_labels(first, "default"), read_labels(larger, "default")
    assert new.num_rows > old.num_rows
    assert new.slice(0, old.num_rows).combine_chunks().equals(old.combine_chunks())
    assert run_label(run, larger)["reused"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"spatial": "ranks"}, "label.spatial is ranks but .* fitted with costs; set label.spatial=costs"),
        ({"vision_language_weight": 1.0}, "label.vision_language_weight is 1 but .* with 0.25"),
        ({"spatial_weight": 0.5}, "label.spatial_weight is 0.5 but .* with 0.35"),
        ({"match_threshold": None}, "label.match_threshold is null but .* with 0.55; set label.match_threshold=0.55"),
        ({"ends": [0.5, 99.5]}, r"label.ends is \[0.5,99.5\] but .* with null; set label.ends=null"),
        ({"match_width": 0.2}, "label.match_width is 0.2 but .* with 0.1; set label.match_width=0.1"),
        (
            {"spatial": "ranks", "spatial_weight": 0.5, "vision_language_weight": 1.0},
            "set label.spatial=costs label.spatial_weight=0.35 label.vision_language_weight=0.25 or fit",
        ),
    ],
)
def test_a_frozen_scale_brings_its_own_fusion(tmp_path, asked, told):
    run = synthetic.config(4, label=COSTS | MATCH)
    storage, _ = synthetic.dataset(str(tmp_path), run)
    run_label(run, storage)
    calibration = {"name": "b", "calibration": str(tmp_path / "labels/default/calibration.json")}
    other = synthetic.config(4, label=COSTS | MATCH | asked | calibration)
    with pytest.raises(UserError, match=told):
        run_label(other, storage)
    with pytest.raises(UserError, match=told):
        run_all(other)  # before anything is generated


@pytest.mark.parametrize(
    ("fitted", "asked", "remedy"),
    [
        (MATCH, {}, r"set label.match_threshold=0.55 label.match_width=0.1 or"),
        ({}, MATCH, r"label.match_threshold is 0.55 but .* with null; set label.match_threshold=null or"),
        ({"match_threshold": 0.55066884}, {"match_threshold": 0.5506688}, r"set label.match_threshold=0.55066884 or"),
    ],
)
def test_what_is_said_to_do_about_another_match_is_enough(tmp_path, fitted, asked, remedy):
    storage, _ = synthetic.dataset(str(tmp_path), synthetic.config(4))
    run_label(synthetic.config(4, label=COSTS | fitted), storage)
    frozen = COSTS | {"name": "b", "calibration": str(tmp_path / "labels/default/calibration.json")}
    with pytest.raises(UserError, match=remedy):
        run_label(synthetic.config(4, label=frozen | asked), storage)
    run_label(synthetic.config(4, label=frozen | {"match_threshold": None} | fitted), storage)


def test_a_pass_fuses_the_chance_of_a_match_where_a_threshold_is_named(tmp_path):
    run = synthetic.config(label=COSTS | MATCH)
    storage, _ = synthetic.dataset(str(tmp_path), run)
    assert run_label(run, storage)["match_threshold"] == 0.55
    labels = read_labels(storage, "default")
    f, s, v = (labels[name].to_numpy().astype(float) for name in ("recognition", "spatial", "vision_language"))
    np.testing.assert_allclose(labels["raw"].to_numpy(), (expit((f - 0.55) / 0.1) + 0.35 * s) / (1 - 0.25 * v))
    with pytest.raises(UserError, match=r"label.match_threshold: 0.55 -> null"):
        run_label(synthetic.config(label=COSTS), storage)


AUTO = {"match_threshold": "auto"}


def own_embedder(folder, **fields):
    """A models.yaml with one embedder of random weights, and it."""
    card = bundled()["bundled-a"].card.model_dump(mode="json") | {"source": "random:3", "sha256": "", **fields}
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump({"models": {"mine": {k: v for k, v in card.items() if k != "name"}}}))
    return str(path), Catalogue.load(str(path)).model("mine")


def test_auto_takes_the_match_threshold_from_the_card_that_the_run_was_made_with(url):
    """The catalogue has other weights of that name by now, which decide elsewhere."""
    run = synthetic.config(label=AUTO)
    card = bundled()["bundled-a"].card.model_copy(update={"match_cosine": 0.35})
    storage, _ = synthetic.dataset(url, run, cards=(card,))
    assert run_label(run, storage)["match_threshold"] == 0.35
    assert run_label(synthetic.config(label={"match_threshold": 0.35}), storage)["reused"]


def test_auto_finds_what_was_added_to_the_card_after_the_run(url, tmp_path):
    """Nobody should have to generate again because a card had no match_cosine."""
    catalogue, model = own_embedder(tmp_path, match_cosine=None)
    run = synthetic.config(label=AUTO, models={"embedder": "mine", "catalogue": catalogue})
    storage, _ = synthetic.dataset(url, run, models={"mine": digest_of(model)}, cards=(model.card,))
    with pytest.raises(UserError, match="is auto, but the card of mine has no match_cosine: add it to the card, or"):
        run_label(run, storage)
    own_embedder(tmp_path, match_cosine=0.25)
    assert run_label(run, storage)["match_threshold"] == 0.25


def test_auto_takes_nothing_from_the_card_of_other_weights(url, tmp_path):
    catalogue, model = own_embedder(tmp_path, match_cosine=None)
    run = synthetic.config(label=AUTO, models={"embedder": "mine", "catalogue": catalogue})
    storage, _ = synthetic.dataset(url, run, models={"mine": digest_of(model)}, cards=(model.card,))
    own_embedder(tmp_path, match_cosine=0.25, source="random:4")
    with pytest.raises(UserError, match=r"the run's card of mine has no .* does not hold these weights any more: set"):
        run_label(run, storage)


def test_auto_without_a_number_is_found_out_before_anything_is_generated(url, tmp_path):
    catalogue, _ = own_embedder(tmp_path, match_cosine=None)
    run = synthetic.config(run={"url": url}, label=AUTO, models={"embedder": "mine", "catalogue": catalogue})
    with pytest.raises(UserError, match="the card of mine has no match_cosine"):
        run_all(run)
    assert not Path(url).exists()


@pytest.mark.parametrize(("embedder", "told"), [("adafac", "no model 'adafac'"), ("mtcnn", "plays the role detector")])
def test_auto_tells_of_a_wrong_embedder_what_a_number_would(url, embedder, told):
    """A mistyped name was told to have a card without match_cosine."""
    with pytest.raises(UserError, match=told):
        run_all(synthetic.config(run={"url": url}, label=AUTO, models={"embedder": embedder}))


def test_auto_takes_the_threshold_of_a_frozen_scale(tmp_path):
    storage, _ = synthetic.dataset(str(tmp_path), synthetic.config(4))
    run_label(synthetic.config(4, label={"match_threshold": 0.45}), storage)
    frozen = {"name": "b", "calibration": str(tmp_path / "labels/default/calibration.json")}
    assert run_label(synthetic.config(4, label=AUTO | frozen), storage)["match_threshold"] == 0.45


def test_without_a_threshold_the_width_of_a_match_says_nothing(tmp_path):
    run = synthetic.config(label=COSTS)
    storage, _ = synthetic.dataset(str(tmp_path), run)
    run_label(run, storage)
    assert run_label(synthetic.config(label=COSTS | {"match_width": 0.2}), storage)["reused"]


def test_ranks_are_not_taken_for_costs_under_one_name(url):
    run = synthetic.config()
    storage, _ = synthetic.dataset(url, run)
    run_label(run, storage)
    with pytest.raises(UserError, match=r"label.spatial: ranks -> costs.*label.vision_language_weight: 1 -> 0.25"):
        run_label(synthetic.config(label=COSTS), storage)


def test_costs_of_a_factor_that_nobody_knows_are_refused(tmp_path):
    run, storage, _ = harmed(tmp_path, label=COSTS)
    document = json.loads(storage.read("labels/default/calibration.json"))
    document["scale"]["costs"]["factors"][0]["factor"] = "halo"
    storage.write("halo.json", json.dumps(document).encode())
    frozen = run.label.model_copy(update={"name": "b", "calibration": str(tmp_path / "halo.json")})
    with pytest.raises(
        UserError,
        match=r"halo.json has costs of factors that neither this version nor this run's plug-ins have \(halo\)",
    ):
        run_label(run.model_copy(update={"label": frozen}), storage)


def test_a_calibration_of_an_older_version_means_ranks_and_keeps_its_name(tmp_path):
    """A pass remembers its frozen scale by digest; fields that came later must not make it another scale."""
    run = synthetic.config(4)
    storage, _ = synthetic.dataset(str(tmp_path), run)
    run_label(run, storage)
    document = json.loads(storage.read("labels/default/calibration.json"))
    del document["mirrored"]
    for field in ("costs", "vision_language_weight", "match_threshold", "match_width", "ends", "scorer", "centred"):
        del document["scale"][field]
    storage.write("old.json", json.dumps(document).encode())
    frozen = synthetic.config(4, label={"name": "b", "calibration": str(tmp_path / "old.json")})
    run_label(frozen, storage)
    assert read_labels(storage, "b").equals(read_labels(storage, "default"))
    text = json.dumps(document["scale"], sort_keys=True, separators=(",", ":"))
    assert read_calibration(storage, "b").frozen_from == hashlib.sha256(text.encode()).hexdigest()


def test_f_r_of_mirrored_faces_is_another_scale(tmp_path):
    mirrored = {"models": {"mirrored_recognition": True}}
    first, _ = synthetic.dataset(str(tmp_path / "first"), synthetic.config(4, **mirrored))
    run_label(synthetic.config(4), first)
    assert read_calibration(first, "default").mirrored
    run = synthetic.config(4, label={"calibration": str(tmp_path / "first/labels/default/calibration.json")})
    second, _ = synthetic.dataset(str(tmp_path / "second"), run)
    with pytest.raises(UserError, match=r"fitted to f_r with mirror images, .* measured without"):
        run_label(run, second)
