"""`label.form: centred`: the label pass over a run, frozen scales, growth, and what is refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.architectures import extras
from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.players import player
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder
from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.run.growth import grow
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.upkeep.garbage import find_garbage
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.fiqa_train.evaluation.held_out import judges_of
from synfiqa.fiqa_train.labels.by_scorer.label_source import planned_source
from synfiqa.fiqa_train.labels.centred.cosines import label_of
from synfiqa.fiqa_train.labels.fusion import Components, apply
from synfiqa.fiqa_train.labels.label_additions import run_label_additions
from synfiqa.fiqa_train.labels.label_pass import read_calibration, read_labels, run_label
from synfiqa.jobs.report_page.fusion import fusion
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.rows import LABELS, SAMPLES
from tests.fiqa_train.labelled_run import make_run, rows_of, small_config


def centred(config, **section):
    """The config with a centred label of this name, by bundled-b where no other embedder is named."""
    own = {"form": "centred", "embedder": "bundled-b", **section}
    return config.model_copy(update={"label": small_config("unused", label=own).label})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config, storage = make_run(tmp_path_factory.mktemp("centred") / "run", labels=False, generate={"identities": 6})
    run_label(centred(config), storage)
    return config, storage


def samples_of(storage):
    store = ShardStore(storage, load_run(storage).fingerprint)
    return pa.concat_tables(store.tables("samples"))


def test_the_label_is_the_mean_cosine_to_the_references_after_their_mean_is_subtracted(run):
    _, storage = run
    labels, samples = read_labels(storage, "default"), samples_of(storage)
    assert labels.schema == LABELS
    images = np.stack([decode(image["bytes"]) for image in samples["image"].to_pylist()])
    vectors = player(bundled()["bundled-b"]).embed(images).astype(float)
    reference = np.array(samples["kind"].to_pylist()) == "reference"
    shifted = vectors - vectors[reference].mean(axis=0)
    units = shifted / np.linalg.norm(shifted, axis=1, keepdims=True)
    names = samples["sample_id"].to_pylist()
    free = np.log(samples["blur"].to_numpy()) <= np.log(1.1) + 1e-6
    for name, raw, quality in zip(*(labels[key].to_pylist() for key in ("sample_id", "raw", "quality")), strict=True):
        row = names.index(name)
        same = samples["identity"].to_numpy() == samples["identity"][row].as_py()
        others = same & (reference | free) & (np.arange(len(names)) != row)
        assert raw == pytest.approx((units[others] @ units[row]).mean(), abs=2e-6)
        assert quality == pytest.approx(np.clip((raw + 0.1) / 1.1, 0, 1))
    sharp = np.array([samples["blur"][names.index(name)].as_py() for name in labels["sample_id"].to_pylist()])
    assert np.corrcoef(sharp, labels["quality"].to_numpy())[0, 1] < -0.7


def test_components_stay_in_their_columns(run):
    config, storage = run
    labels = read_labels(storage, "default")
    run_label(config.model_copy(update={"label": small_config("unused", label={"name": "fused"}).label}), storage)
    fused = read_labels(storage, "fused")
    for name in ("recognition", "vision_language", "yaw_rank", "downsample_rank", "blur_rank", "spatial"):
        assert labels[name].equals(fused[name])
    assert not labels["quality"].equals(fused["quality"])


def test_the_calibration_holds_the_space_and_the_labels_of_the_references(run):
    _, storage = run
    calibration = read_calibration(storage, "default")
    space, card = calibration.scale.centred, bundled()["bundled-b"].card
    assert (space.embedder, space.weights, space.references) == ("bundled-b", card.sha256, 12)
    assert (calibration.embedder, calibration.scale.form, len(space.mean)) == ("bundled-b", "centred", 128)
    assert (space.licence, space.commercial_use) == (card.licence, True)
    low, middle, high = space.reference_labels
    assert 0.5 < low <= middle <= high <= 1, "two sharp pictures of a pattern are alike"
    part = pq.ParquetFile(pa.BufferReader(storage.read(calibration.parts[0].path)))
    assert json.loads(part.schema_arrow.metadata[b"synfiqa"])["embedder_sha256"] == card.sha256
    assert fusion(calibration).centred == "bundled-b"
    one = Components(*(np.ones(1, np.float32) / 2 for _ in range(5)))
    with pytest.raises(ValueError, match="needs vectors"):
        apply(calibration.scale, one)


def test_vectors_are_computed_once_stored_beside_the_run_and_are_no_garbage(run, monkeypatch):
    config, storage = run
    files = storage.list("vectors")
    assert len(files) == 2, "one file a shard"
    monkeypatch.setattr(NetworkEmbedder, "embed", lambda *_: pytest.fail("embedded again"))
    assert run_label(centred(config), storage)["reused"]
    run_label(centred(config, name="again"), storage)
    assert read_labels(storage, "again").equals(read_labels(storage, "default"))
    assert find_garbage(storage, 0.0).garbage == []
    # The synthetic run has no counts of its own, which is all that may be found.
    assert {problem.kind for problem in verify_run(storage).problems} <= {"counts"}


def test_a_pass_that_was_stopped_goes_on_with_the_vectors_that_it_has(tmp_path, monkeypatch):
    config, storage = make_run(tmp_path / "run", labels=False, generate={"identities": 6})
    embed, calls = NetworkEmbedder.embed, []

    def stopping(self, images):
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return embed(self, images)

    monkeypatch.setattr(NetworkEmbedder, "embed", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_label(centred(config), storage)
    assert not storage.list("labels")
    run_label(centred(config), storage)
    assert calls == [30, 30, 30], "the first shard was not embedded again"


def test_labels_do_not_depend_on_shards_or_on_where_a_shard_is_computed(run, tmp_path, monkeypatch):
    """Tasks of a cluster get functions and items pickled, and return pickled results."""
    import pickle

    _, storage = run

    def pickled(self, function, items, *, here=map, ordered=True):
        for item in items:
            call, own = pickle.loads(pickle.dumps((function, item)))
            yield pickle.loads(pickle.dumps(call(own)))

    monkeypatch.setattr(ShardTasks, "map", pickled)
    for size in (3, 2):
        config, other = make_run(
            tmp_path / str(size), labels=False, generate={"identities": 6, "identities_per_shard": size}
        )
        run_label(centred(config), other)
        assert read_labels(other, "default").combine_chunks().equals(read_labels(storage, "default").combine_chunks())


def test_samples_of_a_grown_run_are_labelled_in_the_space_of_the_others(tmp_path):
    config, storage = make_run(tmp_path / "run", labels=False, generate={"identities": 3})
    own = centred(config)
    run_label(own, storage)
    old, space = read_labels(storage, "default"), read_calibration(storage, "default").scale.centred
    manifest = grow(storage, load_run(storage), 6)
    table = pa.Table.from_pylist([row for i in range(3, 6) for row in rows_of(config, i)], schema=SAMPLES)
    ShardStore(storage, manifest.fingerprint).commit("samples", 1, table, sample_counts(table, ()))
    assert run_label_additions(own, storage)["samples"] == 48
    new = read_labels(storage, "default")
    assert new.slice(0, 24).equals(old)
    assert read_calibration(storage, "default").scale.centred == space
    # As a whole pass on the frozen scale labels them.
    url = storage.uri("labels/default/calibration.json")
    run_label(centred(config, name="whole", calibration=url), storage)
    assert read_labels(storage, "whole").combine_chunks().slice(24).equals(new.combine_chunks().slice(24))
    assert new["quality"].to_numpy() == pytest.approx(label_of(new["raw"].to_numpy()))


def test_another_form_or_embedder_wants_another_name(run):
    config, storage = run
    with pytest.raises(UserError, match=r"label\.form: centred -> fusion.*choose another label\.name"):
        run_label(config, storage)
    with pytest.raises(UserError, match=r"embedder: bundled-b -> bundled-a.*choose another label\.name"):
        run_label(centred(config, embedder=""), storage)


def test_relative_labels_stand_at_four_fifths_for_the_fault_free_pictures_of_everybody(run):
    config, storage = run
    made = centred(config, name="relative", form="relative")
    assert run_label(made, storage)["form"] == "relative"
    calibration = read_calibration(storage, "relative")
    assert calibration.scale.form == "relative"
    assert fusion(calibration).relative
    low, middle, high = calibration.scale.centred.reference_labels
    assert label_of(np.array([0.7])) < low <= middle <= high < label_of(np.array([0.9]))
    own, absolute = (read_labels(storage, name)["raw"].to_numpy() for name in ("relative", "default"))
    assert np.corrcoef(own, absolute)[0, 1] > 0.9
    url = storage.uri("labels/default/calibration.json")
    with pytest.raises(UserError, match=r"label\.form is relative but the frozen calibration was fitted with centred"):
        run_label(centred(config, name="r", form="relative", calibration=url), storage)
    with pytest.raises(UserError, match=r"label\.form: relative -> centred.*choose another label\.name"):
        run_label(centred(config, name="relative"), storage)


def test_a_frozen_scale_of_another_form_or_embedder_is_refused(run):
    config, storage = run
    url = storage.uri("labels/default/calibration.json")
    fused = small_config("unused", label={"name": "f", "calibration": url}).label
    with pytest.raises(UserError, match=r"label\.form is fusion but the frozen calibration was fitted with centred"):
        run_label(config.model_copy(update={"label": fused}), storage)
    with pytest.raises(UserError, match=r"fitted to vectors of another embedder than label\.embedder \(bundled-b"):
        run_label(centred(config, name="a", embedder="bundled-a", calibration=url), storage)


def test_wrong_settings_are_one_sentence_before_anything_is_made(monkeypatch):
    from synfiqa.actors.model_store.resolved_run import resolve

    def source(**label):
        config = small_config("unused", label={"form": "centred", **label})
        return planned_source(config, resolve(config))

    with pytest.raises(UserError, match=r"^There is no model 'nobody': choose one of .*"):
        source(embedder="nobody")
    with pytest.raises(UserError, match="'mtcnn' plays the role detector, not embedder"):
        source(embedder="mtcnn")
    with pytest.raises(ValueError, match="form centred is of source: components; leave form or source out"):
        small_config("unused", label={"form": "centred", "source": "scorer", "scorer": "sharpness"})
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"'dlib' needs synfiqa\[dlib\], which is not installed here"):
        source(embedder="dlib").require_ready()


def test_the_labelling_embedder_alone_is_no_judge(run):
    from synfiqa.actors.model_store.resolved_run import resolve

    config, storage = run
    labelling = read_calibration(storage, "default").embedder
    alone = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"judges": ("bundled-b",)})})
    with pytest.raises(UserError, match="bundled-b made the labels and would be the only judge"):
        judges_of(resolve(alone), labelling)


def test_a_person_without_a_second_picture_to_compare_cannot_be_labelled(tmp_path):
    config, storage = make_run(tmp_path / "run", labels=False, generate={"identities": 3})
    store = ShardStore(storage, load_run(storage).fingerprint)
    rows = [row for row in samples_of(storage).to_pylist() if row["kind"] == "degraded" or row["identity"] != 1]
    table = pa.Table.from_pylist([row | {"blur": 3.0} for row in rows], schema=SAMPLES)
    store.commit("samples", 0, table, sample_counts(table, ()), revision=1)
    with pytest.raises(JobFailed, match=r"sample 000001/0 cannot be labelled .*centred cosine nan; 8 such samples"):
        run_label(centred(config), storage)


def test_dlib_labels(tmp_path):
    pytest.importorskip("dlib")
    pytest.importorskip("face_recognition_models")
    config, storage = make_run(tmp_path / "run", labels=False, generate={"identities": 3, "degraded": 3})
    assert run_label(centred(config, embedder="dlib"), storage)["samples"] == 9
    space = read_calibration(storage, "default").scale.centred
    assert (space.weights[:6], space.licence, len(space.mean)) == ("55533b", "CC0-1.0", 128)
