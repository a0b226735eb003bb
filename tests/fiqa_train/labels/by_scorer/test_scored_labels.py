"""`label.source: scorer`: the labels are the scores of a quality scorer, by the scale of its card or by rank."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.growth import grow
from synfiqa.cluster.run.manifest import load_run
from synfiqa.fiqa_train.labels.by_scorer.label_source import label_source
from synfiqa.fiqa_train.labels.label_additions import run_label_additions
from synfiqa.fiqa_train.labels.label_pass import read_calibration, read_labels, run_label
from synfiqa.fiqa_train.labels.parts import label_digest
from synfiqa.jobs.config import parse_config
from synfiqa.jobs.report_page.fusion import fusion
from synfiqa.jobs.workflows.whole_run import run_all
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.rows import LABELS, SAMPLES
from tests.fiqa_train.evaluation.trained_run import train_here
from tests.fiqa_train.labelled_run import make_run, rows_of, small_config

SHARP = {"source": "scorer", "scorer": "sharpness"}
IDENTITIES = {"identities": 6}


def by(name, **further):
    return {"name": name.replace(".", "-"), "source": "scorer", "scorer": name, **further}


def labelled_by(config, **section):
    return config.model_copy(update={"label": small_config("unused", label=section).label})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("scored") / "run", labels=False, generate=IDENTITIES)


def scores_of(storage, name):
    """The scores of the degraded samples by sample id, straight from the scorer."""
    store = ShardStore(storage, load_run(storage).fingerprint)
    samples = pa.concat_tables(store.tables("samples"))
    rows = samples.filter(pc.equal(samples["kind"], "degraded"))
    images = np.stack([decode(image["bytes"]) for image in rows["image"].to_pylist()])
    scores = scorers_of([name], ScorerSettings(), {}, "test")[name].score(images)
    return dict(zip(rows["sample_id"].to_pylist(), scores.tolist(), strict=True))


def test_without_a_scale_on_its_card_a_label_is_the_share_of_its_rank(run):
    config, storage = run
    made = run_label(labelled_by(config, **by("sharpness")), storage)
    labels, scores = read_labels(storage, "sharpness"), scores_of(storage, "sharpness")
    assert labels.schema == LABELS
    assert made["samples"] == labels.num_rows == 6 * 8
    assert labels["raw"].to_pylist() == [scores[name] for name in labels["sample_id"].to_pylist()]
    order = np.argsort(np.argsort(labels["raw"].to_numpy()))
    assert labels["quality"].to_numpy() == pytest.approx((order + 0.5) / 48)
    assert set(labels["group"].to_pylist()) == {f"Q{index}" for index in range(10)}
    assert labels["recognition"].null_count == 0
    for fused in ("yaw_rank", "downsample_rank", "blur_rank", "spatial"):
        assert labels[fused].null_count == 48, "only a fusion has ranks and s_d"


def test_the_scale_of_a_card_makes_its_labels(run):
    config, storage = run
    run_label(labelled_by(config, **by("bundled-quality")), storage)
    labels = read_labels(storage, "bundled-quality")
    settings = ScorerSettings()
    scale = settings.model("bundled-quality").card.scale
    expected = [scale.scalar(score) / 100 for score in labels["raw"].to_pylist()]
    assert labels["quality"].to_pylist() == pytest.approx(expected, abs=1e-6)
    recorded = read_calibration(storage, "bundled-quality").scale.scorer
    assert (recorded.midpoint, recorded.width) == (scale.midpoint, scale.width)
    assert recorded.weights == settings.model("bundled-quality").card.sha256


def test_name_and_weights_of_the_scorer_are_in_the_files_and_digest_of_the_labels(run):
    config, storage = run
    for name in ("sharpness", "bundled-quality"):
        run_label(labelled_by(config, **by(name)), storage)
        calibration = read_calibration(storage, name)
        part = pq.ParquetFile(pa.BufferReader(storage.read(calibration.parts[0].path)))
        metadata = json.loads(part.schema_arrow.metadata[b"synfiqa"])
        assert metadata["scorer"] == name
        assert metadata["scorer_sha256"] == calibration.scale.scorer.weights
    assert len({label_digest(read_calibration(storage, name)) for name in ("sharpness", "bundled-quality")}) == 2


def test_a_second_pass_reads_nothing_and_another_scorer_wants_another_name(run):
    config, storage = run
    own = labelled_by(config, **by("sharpness"))
    run_label(own, storage)
    assert run_label(own, storage)["reused"]
    with pytest.raises(UserError, match=r"label\.scorer: sharpness -> iso-contrast.*choose another label\.name"):
        run_label(labelled_by(config, **by("iso-contrast") | {"name": "sharpness"}), storage)
    with pytest.raises(UserError, match=r"label\.scorer: sharpness -> none"):
        run_label(labelled_by(config, name="sharpness"), storage)
    run_label(labelled_by(config, name="fused"), storage)
    with pytest.raises(UserError, match=r"label\.scorer: none -> sharpness"):
        run_label(labelled_by(config, **by("sharpness") | {"name": "fused"}), storage)


def test_a_frozen_scale_keeps_labels_comparable_between_runs(run, tmp_path):
    config, storage = run
    run_label(labelled_by(config, **by("sharpness")), storage)
    url = storage.uri("labels/sharpness/calibration.json")
    again = labelled_by(config, **by("sharpness", calibration=url) | {"name": "frozen"})
    run_label(again, storage)
    assert read_labels(storage, "frozen").equals(read_labels(storage, "sharpness"))
    other = labelled_by(config, **by("iso-contrast", calibration=url))
    with pytest.raises(UserError, match="a scale of scores of sharpness, and this config labels by scores of iso"):
        run_label(other, storage)
    with pytest.raises(UserError, match="a scale of scores of sharpness, and this config labels by components"):
        run_label(labelled_by(config, name="mixed", calibration=url), storage)


def test_samples_of_a_grown_run_are_scored_on_the_scale_of_the_others(tmp_path):
    config, storage = make_run(tmp_path / "run", labels=False, generate={"identities": 3})
    own = labelled_by(config, **by("sharpness"))
    run_label(own, storage)
    old = read_labels(storage, "sharpness")
    manifest = grow(storage, load_run(storage), 6)
    table = pa.Table.from_pylist([row for i in range(3, 6) for row in rows_of(config, i)], schema=SAMPLES)
    ShardStore(storage, manifest.fingerprint).commit("samples", 1, table, sample_counts(table, ()))
    assert run_label_additions(own, storage)["samples"] == 48
    new = read_labels(storage, "sharpness")
    assert new.slice(0, 24).equals(old)
    assert new["quality"].to_numpy()[24:] == pytest.approx(
        np.interp(new["raw"].to_numpy()[24:], np.sort(old["raw"].to_numpy()), (np.arange(24) + 0.5) / 24)
    )


def test_a_model_learns_from_the_scores(run):
    config, storage = run
    own = labelled_by(config, **by("sharpness"))
    run_label(own, storage)
    train_here(own, storage)
    basis = json.loads(storage.read("models/default/train.json"))
    assert basis["label"] == "sharpness"
    assert basis["label_sha256"] == label_digest(read_calibration(storage, "sharpness"))


def test_the_report_names_the_scorer(run):
    config, storage = run
    run_label(labelled_by(config, **by("sharpness")), storage)
    assert fusion(read_calibration(storage, "sharpness")).scorer == "sharpness"


def test_equal_scores_cannot_be_scaled(run, monkeypatch):
    config, storage = run
    monkeypatch.setattr(
        "synfiqa.fiqa_train.labels.by_scorer.named_scorer.NamedScorer.scores", lambda self, images: np.ones(len(images))
    )
    with pytest.raises(JobFailed, match="scorer 'sharpness' gives all 48 samples the score 1; choose another"):
        run_label(labelled_by(config, **by("sharpness") | {"name": "flat"}), storage)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"source": "scorer"}, r"source: scorer needs label\.scorer"),
        ({"scorer": "sharpness"}, r"label\.scorer needs source: scorer"),
        ({"source": "scorer", "scorer": "absent"}, r"label\.scorer: there is no scorer 'absent'"),
        ({"source": "scorer", "scorer": "random"}, r"label\.scorer: 'random' depends on more than the image"),
        ({"source": "scorer", "scorer": "model"}, r"label\.scorer: 'model' depends on more than the image"),
    ],
)
def test_a_section_that_names_no_scorer_of_images_is_refused(section, words):
    with pytest.raises(UserError, match=words):
        parse_config({"label": section}, "test.yaml")


@pytest.mark.parametrize(("scorer", "words"), [("vitnt", "vit-recogniser"), ("absent.froq.json", "absent.froq.json")])
def test_a_scorer_without_what_it_reads_is_refused_before_anything_is_made(tmp_path, scorer, words):
    config = small_config(tmp_path / "run", label={"source": "scorer", "scorer": scorer})
    with pytest.raises(UserError, match=words):
        run_all(config)
    assert not (tmp_path / "run").exists()


def test_a_task_of_the_cluster_gets_the_scorer_by_name(run):
    config, storage = run
    source = label_source(labelled_by(config, **by("sharpness")), load_run(storage))
    reading = source.reading(source.manifest)
    store = ShardStore(storage, source.manifest.fingerprint)
    commit = store.get("samples", 0)
    samples = store.read(commit, reading.columns)
    there = pickle.loads(pickle.dumps(reading))
    assert there.shard(samples, commit).scores.tolist() == reading.shard(samples, commit).scores.tolist()
