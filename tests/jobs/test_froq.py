"""`synfiqa froq calibrate`: a file that `score --model` takes; what cannot be calibrated is one sentence."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from synfiqa.fiqa_train.scoring.calibration_faces import calibration_faces
from synfiqa.jobs.cli import main
from tests.actors.quality.training_free.tiny import faces


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("faces")
    for index, face in enumerate(faces(31)):
        Image.fromarray(face).save(place / f"{index:02}.png")
    return place


def test_a_folder_calibrates_a_scorer_of_photographs(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    calibrate = ("froq", "calibrate", "--embedder", "bundled-a", "--data", folder, "--images", 30)
    assert run(*calibrate, "--out", "mine.froq.json") == 0
    assert "modules of bundled-a, improved; rho of their mean" in capsys.readouterr().out
    assert run("score", folder, "--aligned", "--model", "mine.froq.json,froq", "--out", "scores.csv") == 0
    with Path("scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 31
    assert all(row["score"] and row["score:froq"] and len(row["digest"]) == 64 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "mine.json"), "must end with .froq.json"),
        (("--out", "a.froq.json", "--images", 5), "gives 5 images and FROQ needs at least 30"),
        (("--out", "a.froq.json", "--channels", "0,1"), "--channels 0,1 must be 0, 1 and 2 in some order"),
        (("--out", "a.froq.json", "--channels", "2,1,0"), "bundled-a takes gray"),
        (("--out", "a.froq.json", "--embedder", "mtcnn"), "plays the role detector, not embedder"),
        (("--out", "a.froq.json", "--data", "absent"), "--data absent is no run and no folder"),
    ],
)
def test_what_cannot_be_calibrated_is_one_sentence(folder, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run("froq", "calibrate", "--embedder", "bundled-a", "--data", folder, *arguments) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_faces_of_another_size_are_refused(tmp_path, capsys):
    Image.new("RGB", (96, 112)).save(tmp_path / "a.png")
    out = tmp_path / "a.froq.json"
    assert run("froq", "calibrate", "--embedder", "bundled-a", "--data", tmp_path, "--out", out) == 2
    assert "a.png has 96 x 112 pixels, not 112 x 112; align the faces first" in capsys.readouterr().err


def test_the_subset_depends_on_the_seed_alone(folder):
    first, said = calibration_faces(str(folder), 12, 1)
    assert (first == calibration_faces(str(folder), 12, 1)[0]).all()
    assert not (first == calibration_faces(str(folder), 12, 2)[0]).all()
    assert first.shape == (12, 112, 112, 3)
    assert said == f"12 images of the folder {folder.name}, drawn by seed 1"
