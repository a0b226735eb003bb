"""The audit of a small run: written beside its evaluation, groups from its ledger, score files as methods."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synfiqa.fiqa_train.evaluation.evaluate_run as evaluate
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.file_roles import role_of
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation.audit.people_groups import recorded_groups
from synfiqa.fiqa_train.evaluation.external_scores import open_score_files
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.fiqa_train.ofiq.csv_table import HEADER
from synfiqa.schemas.audit import AuditResult
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import parse
from synfiqa.schemas.rows import CANDIDATES
from tests.fiqa_train.evaluation.test_evaluate_run import Detail
from tests.fiqa_train.evaluation.trained_run import train_here
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.ofiq.test_csv_table import row

AUDIT, EVALUATION = "models/default/audit.json", "models/default/evaluation.json"


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "run"
    generate, train = {"identities": 16}, {"epochs": 2, "test_fraction": 0.5}
    config, storage = make_run(folder, labels=False, generate=generate, train=train, evaluate={"bootstrap": 10})
    store = ShardStore(storage, load_run(storage).fingerprint)
    for unit in range(4):
        rows = [candidate(number) | {"unit": unit} for number in range(4 * unit, 4 * unit + 4)]
        table = pa.Table.from_pylist(rows, schema=CANDIDATES)
        store.commit("identities", unit, table, {"planned": 4, "accepted": 4, "rejected": 0, "dead": 0})
    run_label(config, storage)
    train_here(config, storage)
    return config, folder


def candidate(number):
    attributes = {"skin_tone": 7, "age": 40 + 20 * (number % 2)} | ({"sex": 0.1} if number < 15 else {})
    return dict.fromkeys(CANDIDATES.names) | {
        "candidate": number,
        "identity": number,
        "status": "accepted",
        "reason": "",
        "attributes": json.dumps(attributes),
    }


@pytest.fixture
def trained(trained_once, tmp_path, monkeypatch):
    config, folder = trained_once
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Detail(model.name))
    return config, Storage(str(tmp_path / "run"))


def audit_of(storage):
    return parse(AuditResult, json.loads(storage.read(AUDIT)))


def held_out(storage):
    return pq.read_table(pa.BufferReader(storage.read("models/default/scores.parquet"))).to_pylist()


def test_the_audit_of_a_run(trained):
    config, storage = trained
    result = evaluate.run_evaluate(config, storage)
    audit = audit_of(storage)
    assert role_of(AUDIT) == "model"
    assert (audit.basis, audit.images, audit.degraded) == (result.basis, 80, 64)
    assert audit.embedder == result.headline.embedder
    assert list(audit.methods) == list(result.headline.methods)
    label, sharpness = audit.methods["label"], audit.methods["sharpness"]
    blur = next(one for one in sharpness.factors if one.severity == "blur")
    assert blur.spearman < -0.8, "blur is all that quality depends on here"
    assert label.monotonicity.monotone
    assert [one.n for one in label.monotonicity.levels][-1] == 16
    assert abs(label.rejected - 0.1) < 0.02

    names = [group.group for group in label.groups]
    assert names == ["skin tone 7", "age 30 to 49", "age 50 and over", "more feminine"]
    assert audit.without_group.keys() <= {"sex"}
    everyone = label.groups[0]
    assert (everyone.identities, everyone.images) == (8, 80)
    assert everyone.rejected.share == label.rejected
    assert everyone.rejected.interval.resamples == 10
    assert everyone.curves[0].pauc == result.results[0].methods["label"].pauc, "the group of everybody is the whole"
    assert everyone.curves[0].interval == result.results[0].methods["label"].interval
    assert sum(group.images for group in label.groups[1:3]) == 80
    weighted = sum(group.images * group.rejected.share for group in label.groups[1:3]) / 80
    assert weighted == pytest.approx(label.rejected)


def test_a_group_of_too_few_pairs_has_the_reason(trained):
    config, storage = trained
    evaluate.run_evaluate(
        config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"fmr": (0.05, 0.0025)})}), storage
    )
    groups = {group.group: group for group in audit_of(storage).methods["model"].groups}
    assert [one.fmr for one in groups["age 50 and over"].skipped] == [0.0025]
    assert "impostor pairs" in groups["age 50 and over"].skipped[0].reason


def test_an_evaluation_without_its_audit_is_made_again(trained):
    """Runs that were evaluated before there were audits get theirs by the same command."""
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    audit = storage.read(AUDIT)
    storage.delete(AUDIT)
    assert evaluate.run_evaluate(config, storage) == first
    assert storage.read(AUDIT) == audit


def test_identities_that_the_ledger_does_not_hold_are_in_no_group(trained):
    _, storage = trained
    store = ShardStore(storage, load_run(storage).fingerprint)
    found = recorded_groups(store, {1, 14, 15, 99})
    assert found == {
        1: ["skin tone 7", "age 50 and over", "more feminine"],
        14: ["skin tone 7", "age 30 to 49", "more feminine"],
        15: ["skin tone 7", "age 50 and over"],
        99: [],
    }


def test_scores_of_another_tool_are_one_more_method(trained, tmp_path):
    config, storage = trained
    first = evaluate.run_evaluate(config, storage)
    rows = held_out(storage)
    lines = [f"export/data/{row['sample_id']}.jpg,{row['sharpness']!r}" for row in rows]
    (tmp_path / "other.csv").write_text("\n".join(["path,score", *lines, "data/999/1.jpg,4"]))
    files = open_score_files([f"other={tmp_path / 'other.csv'}"], config.evaluate.scorers, ("run",))
    result = evaluate.run_evaluate(config, storage, score_files=files)
    methods = result.results[0].methods
    assert set(methods) == {*first.results[0].methods, "other"}
    assert methods["other"] == methods["sharpness"]
    assert result.spearman["other"] == result.spearman["sharpness"]
    assert [one.other for one in result.results[0].differences] == ["sharpness", "other", "label"]
    assert result.basis.scorers == {"other": files[0].digest}
    assert [(one.name, one.rows, one.unmatched) for one in result.score_files] == [("other", 81, 1)]
    assert audit_of(storage).methods["other"] == audit_of(storage).methods["sharpness"]
    assert [row["other"] for row in held_out(storage)] == [row["sharpness"] for row in rows]


def test_scores_for_half_of_the_images_are_refused_and_nothing_is_overwritten(trained, tmp_path):
    config, storage = trained
    evaluate.run_evaluate(config, storage)
    before = {path: storage.read(path) for path in storage.list("models/default")}
    lines = [f"{row['sample_id']},1.5" for row in held_out(storage)[:40]]
    (tmp_path / "half.csv").write_text("\n".join(["sample_id,score", *lines]))
    files = open_score_files([str(tmp_path / "half.csv")], config.evaluate.scorers, ("run",))
    with pytest.raises(
        UserError, match=r"--scores half: .*half\.csv has no score for 40 of 80 held-out images, such as 0"
    ):
        evaluate.run_evaluate(config, storage, score_files=files)
    assert {path: storage.read(path) for path in storage.list("models/default")} == before


def test_ofiq_is_correlated_with_the_commanded_factors(trained, tmp_path):
    config, storage = trained
    evaluate.run_evaluate(config, storage)
    order = sorted(held_out(storage), key=lambda row: row["sharpness"])
    lines = [
        row(f"data/{one['sample_id']}.jpg", {"Sharpness": place if place else -1, "CompressionArtifacts": -1})
        for place, one in enumerate(order)
    ]
    (tmp_path / "ofiq.csv").write_text("\n".join([HEADER, *lines]))
    sources = [f"uqs={tmp_path / 'ofiq.csv'}", f"sharp={tmp_path / 'ofiq.csv'}:Sharpness"]
    files = open_score_files(sources, config.evaluate.scorers, ("run",))
    result = evaluate.run_evaluate(config, storage, score_files=files)
    assert result.results[0].methods["sharp"].pauc < 1
    table = {(one.severity, one.component): one for one in audit_of(storage).ofiq}
    assert {one.source for one in table.values()} == {"uqs"}, "a file counts once"
    blur = table["blur", "Sharpness"]
    assert (blur.n + blur.failed, blur.failed) == (64, 1)
    assert blur.spearman < -0.8
    assert table["yaw", "HeadPoseYaw"].spearman is None, "all equal"
    assert not [key for key in table if key[1] == "CompressionArtifacts"], "not assessed"
