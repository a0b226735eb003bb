"""Portraits of a run in the published layout: whole, with equal bytes, and read back as they were."""

import json

import numpy as np
import pytest

from synfiqa.actors.quality.measures.portrait_measures import DEFAULT_MEASURE, PORTRAIT_MEASURES
from synfiqa.fiqa_train.export.portrait_export import run_portrait_export
from synfiqa.fiqa_train.portraits.gfiqa_folder import open_gfiqa
from synfiqa.fiqa_train.portraits.run_portraits import run_portraits
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.portraits import portrait_run


@pytest.fixture(scope="module")
def tables():
    return portrait_run.rendered(portrait_run.config())


@pytest.fixture(scope="module")
def storage(tables, tmp_path_factory):
    return portrait_run.committed(str(tmp_path_factory.mktemp("run") / "run"), portrait_run.config(), tables)


@pytest.fixture(scope="module")
def exported(storage, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "deep" / "out"
    counts = run_portrait_export(storage, out)
    assert (counts.written, counts.left_out) == (10, 0)
    assert counts.sentence.startswith("10 portraits, 0 left out")
    return out


def test_the_layout_is_the_published_one(exported):
    assert sorted(path.name for path in exported.iterdir()) == ["README.md", "train"]
    split = exported / "train"
    assert sorted(path.name for path in split.iterdir()) == ["degradation.json", "img", "label.json", "landmark"]
    labels = json.loads((split / "label.json").read_text())
    assert sorted(labels) == ["Image", "MOS"]
    assert sorted(path.name for path in (split / "img").iterdir()) == labels["Image"]
    points = np.load(split / "landmark" / "000001_2.npy")
    assert (points.shape, points.dtype) == ((68, 2), np.float32)
    card = (exported / "README.md").read_text()
    assert "10 portraits of people who do not exist" in card
    assert "1 - GMSD of the face to the clean portrait" in card


def test_what_is_read_back_is_what_the_run_holds(exported, storage):
    back = {item.name: item for item in open_gfiqa(exported, "train", crop=portrait_run.SIZE)}
    own = list(run_portraits(storage))
    assert len(back) == len(own)
    for item in own:
        read = back[item.name]
        assert (read.image == item.image).all()
        assert (read.landmarks == item.landmarks).all()
        assert (read.score, read.group, read.degradation) == (item.score, item.group, item.degradation)


def test_a_second_export_has_equal_bytes(exported, storage, tmp_path):
    run_portrait_export(storage, tmp_path / "again")

    def contents(folder):
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert contents(tmp_path / "again") == contents(exported)
    with pytest.raises(UserError, match="is not empty; choose another --out"):
        run_portrait_export(storage, tmp_path / "again")


def test_the_command_writes_what_the_page_shows(storage, exported, tmp_path, capsys):
    out = tmp_path / "out"
    run = ["--run", storage.url, "--out", str(out)]
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["export", *run, "--layout", "gfiqa"])
    assert "10 portraits, 0 left out" in capsys.readouterr().out
    same = "train/label.json"
    assert (out / same).read_bytes() == (exported / same).read_bytes()
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["export", "--run", storage.url, "--out", str(tmp_path / "other"), "--score", "quality"])
    assert "--score goes with --layout gfiqa" in capsys.readouterr().err


def test_equal_scores_leave_nothing_behind(tmp_path, tables, monkeypatch):
    storage = portrait_run.committed(str(tmp_path / "run"), portrait_run.config(), tables)
    monkeypatch.setitem(PORTRAIT_MEASURES, DEFAULT_MEASURE, (lambda clean, image, landmarks: 1.0, "one"))
    with pytest.raises(UserError, match="all 10 scores are 1, so that no model can learn"):
        run_portrait_export(storage, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_faces_that_the_frame_cuts_off_are_counted_and_left_out(tmp_path, tables, monkeypatch):
    storage = portrait_run.committed(str(tmp_path / "run"), portrait_run.config(), tables)
    monkeypatch.setattr(
        "synfiqa.fiqa_train.export.portrait_export.landmark_fault",
        lambda landmarks, width, height: "cut" if landmarks is cut[0] else "",
    )
    items = list(run_portraits(storage))
    cut = [items[0].landmarks]
    monkeypatch.setattr(
        "synfiqa.fiqa_train.portraits.run_portraits.RunPortraits.items",
        lambda self, shard: iter(items[:5] if shard[0].number == 0 else items[5:]),
    )
    counts = run_portrait_export(storage, tmp_path / "out")
    assert (counts.written, counts.left_out) == (9, 1)
    assert not (tmp_path / "out" / "train" / "img" / f"{items[0].name}.png").exists()
    assert len(open_gfiqa(tmp_path / "out", "train")) == 9
