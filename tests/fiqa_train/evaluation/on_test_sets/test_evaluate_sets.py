"""The model of a run on outside sets: right figures, written once, nothing overwritten where a set is refused."""

import json
import pickle
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import synfiqa.fiqa_train.datasets.photo_files as photos
import synfiqa.fiqa_train.evaluation.on_test_sets.evaluate_sets as evaluate
from synfiqa.cluster.run.file_roles import role_of
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.fiqa_train.evaluation.edc import edc
from synfiqa.fiqa_train.evaluation.external_scores import open_score_files
from synfiqa.fiqa_train.evaluation.on_test_sets.evaluate_sets import run_evaluate_on
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped, pair_similarity
from synfiqa.fiqa_train.training.checkpoints import load_trained
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import RunHeld, UserError
from synfiqa.schemas.evaluation import SetEvaluation, parse
from tests.fiqa_train.evaluation.test_evaluate_run import Detail
from tests.fiqa_train.evaluation.trained_run import train_here
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.small_photos import WholePicture, encoded, read_all, save

RESULT = "models/default/evaluation-{}.json"


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "run"
    config, storage = make_run(folder, train={"epochs": 2, "test_fraction": 0.5}, generate={"identities": 12})

    train_here(config, storage)
    return config, folder


@pytest.fixture
def trained(trained_once, tmp_path, monkeypatch):
    config, folder = trained_once
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setenv("SYNFIQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(photos, "new_detector", WholePicture)
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: Detail(model.name))
    storage = Storage(str(tmp_path / "run"))
    return config.model_copy(update={"run": config.run.model_copy(update={"url": storage.url})}), storage


def people(root, count=8, each=4):
    for person in range(count):
        for number in range(each):
            save(root / f"p{person:02d}" / f"{number}.png", 100 * person + number)
    return root


def test_the_figures_are_those_of_the_set(trained, tmp_path):
    config, storage = trained
    (test_set,) = open_test_sets([f"mine={people(tmp_path / 'mine')}"])
    (result,) = run_evaluate_on(config, storage, [test_set])
    assert parse(SetEvaluation, json.loads(storage.read(RESULT.format("mine")))) == result
    assert (result.images, result.identities, result.identities_from) == (32, 8, "given")
    assert (result.pairs, result.n_genuine, result.n_impostor) == ("all", 8 * 6, 32 * 31 // 2 - 48)
    assert (result.without_face, result.pairs_left_out, result.left_out) == (0, 0, [])
    assert [one.name for one in result.scorers_left_out] == ["label"]
    assert list(result.headline.methods) == ["model", "sharpness", "random"]
    assert [(one.embedder, one.mode, one.fmr) for one in result.results[:2]] == [
        ("bundled-b", "leaderboard", 0.05),
        ("bundled-b", "leaderboard", 0.02),
    ]
    images, _ = read_all(test_set)
    quality = load_trained(storage, "default").score(images)
    similarity = pair_similarity(embed_flipped(Detail("bundled-b"), images), _table(test_set))
    table = _table(test_set)
    expected = edc(similarity, table.genuine, np.minimum(quality[table.first], quality[table.second]), 0.05, 0.3)
    assert result.results[0].methods["model"].pauc == pytest.approx(expected.pauc, nan_ok=True)
    assert result.results[0].fnmr0 == pytest.approx(expected.fnmr0)
    scores = pq.read_table(pa.BufferReader(storage.read("models/default/scores-mine.parquet")))
    assert scores["id"].to_pylist() == list(test_set.ids)
    np.testing.assert_allclose(scores["model"].to_numpy(), quality)
    assert role_of(RESULT.format("mine")) == role_of("models/default/scores-mine.parquet") == "model"


def _table(test_set):
    from synfiqa.fiqa_train.evaluation.pairs import enumerate_pairs

    return enumerate_pairs(test_set.identity)


def test_pairs_of_images_without_a_face_are_left_out_counted_and_named(trained, tmp_path):
    config, storage = trained
    root = people(tmp_path / "photos", each=3)
    for file in root.rglob("*.png"):
        save(file, int(file.parent.name[1:]) * 100 + int(file.stem), 200)
    from PIL import Image

    Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(root / "p03" / "1.png")
    (result,) = run_evaluate_on(config, storage, open_test_sets([f"photos={root}"]))
    assert (result.without_face, result.pairs_left_out) == (1, 23)
    assert [(one.name, one.reason) for one in result.left_out] == [("p03/1", "no face found")]
    assert result.n_genuine == 8 * 3 - 2
    assert "MTCNN" in result.basis.test_set.crops


def packed(path, people=30):
    images, genuine = [], []
    for person in range(people):
        images += [encoded(10 * person), encoded(10 * person + 1), encoded(10 * person), encoded(10 * person + 15)]
        genuine += [True, False]
    path.write_bytes(pickle.dumps((images, genuine)))
    return path


def test_a_bin_has_its_listed_pairs_and_linked_identities(trained, tmp_path):
    config, storage = trained
    (result,) = run_evaluate_on(config, storage, open_test_sets([f"lfw={packed(tmp_path / 'lfw.bin')}"]))
    assert (result.pairs, result.n_genuine, result.n_impostor) == ("listed", 30, 30)
    assert result.identities_from == "linked by genuine pairs"
    assert [one.fmr for one in result.skipped] == [0.02]
    assert {one.fmr for one in result.results} == {0.05}


def test_it_is_done_once_and_again_when_the_set_changes(trained, tmp_path, monkeypatch):
    config, storage = trained
    path = people(tmp_path / "mine")
    (first,) = run_evaluate_on(config, storage, open_test_sets([f"mine={path}"]))
    written = storage.read(RESULT.format("mine"))
    calls = []
    monkeypatch.setattr(evaluate, "load_embedder", lambda model: calls.append(model.name) or Detail(model.name))
    assert run_evaluate_on(config, storage, open_test_sets([f"mine={path}"])) == [first]
    assert not calls
    assert storage.read(RESULT.format("mine")) == written
    save(path / "p00" / "0.png", 999)
    (second,) = run_evaluate_on(config, storage, open_test_sets([f"mine={path}"]))
    assert calls == ["bundled-b", "bundled-a"]
    assert second.basis.test_set.sha256 != first.basis.test_set.sha256


def test_templates_are_compared(trained, tmp_path):
    from tests.fiqa_train.small_photos import TEMPLATE

    config, storage = trained
    root = tmp_path / "ijbc"
    media, points, pairs = [], [], []
    coordinates = " ".join(map(str, TEMPLATE.ravel() * 160 / 112))
    for template in range(40):
        for number in range(2):
            name = f"{2 * template + number}.jpg"
            save(root / "loose_crop" / name, 1000 * (template // 2) + 2 * template + number, 160)
            media.append(f"{name} {template} {number}")
            points.append(f"{name} {coordinates} 0.9")
        pairs += [f"{template} {template ^ 1} 1"] if template % 2 else []
        pairs.append(f"{template} {(template + 2) % 40} 0")
    for file, lines in (("face_tid_mid", media), ("name_5pts_score", points), ("template_pair_label", pairs)):
        (root / f"ijbc_{file}.txt").write_text("\n".join(lines) + "\n")
    (result,) = run_evaluate_on(config, storage, open_test_sets([f"ijbc={root}"]))
    assert (result.templates, result.images, result.n_genuine, result.n_impostor) == (40, 80, 20, 40)
    assert result.identities == 20


@pytest.mark.parametrize("case", ["bomb", "fmr", "own", "channels", "one"])
def test_what_is_refused_leaves_every_file_as_it_was(trained, tmp_path, case):
    config, storage = trained
    good = people(tmp_path / "mine")
    run_evaluate_on(config, storage, open_test_sets([f"mine={good}"]))
    before = {path: storage.read(path) for path in storage.list("models")}
    bad = tmp_path / "bad"
    if case == "bomb":
        bad = tmp_path / "bad.bin"
        bad.write_bytes(b"cos\nsystem\n(S'touch exploded'\ntR.")
    elif case == "own":
        bad = storage.url
    elif case == "channels":
        people(bad)
        for file in bad.rglob("*.png"):
            _exchange(file)
    else:
        people(bad, count=1 if case == "one" else 2, each=2 if case == "one" else 1)
    with pytest.raises(UserError, match=r"--on (mine|own)"):
        run_evaluate_on(config, storage, open_test_sets([f"{'own' if case == 'own' else 'mine'}={bad}"]))
    assert {path: storage.read(path) for path in storage.list("models")} == before


def _exchange(file):
    from PIL import Image

    Image.fromarray(np.asarray(Image.open(file))[..., ::-1].copy()).save(file)


def test_all_sets_are_checked_before_the_first_is_measured(trained, tmp_path):
    config, storage = trained
    sets = open_test_sets([f"mine={people(tmp_path / 'mine')}", f"few={people(tmp_path / 'few', 2, 1)}"])
    with pytest.raises(UserError, match="--on few"):
        run_evaluate_on(config, storage, sets)
    assert not storage.exists(RESULT.format("mine"))


def test_nothing_is_written_once_another_driver_has_the_run(trained, tmp_path):
    config, storage = trained

    class Lost:
        def confirm(self, within_s=0.0):
            raise RunHeld("another driver")

    with pytest.raises(RunHeld):
        run_evaluate_on(config, storage, open_test_sets([f"mine={people(tmp_path / 'mine')}"]), lease=Lost())
    assert not [path for path in storage.list("models") if "mine" in path]


def test_the_command_prints_a_table_for_each_set(trained, tmp_path, capsys):
    config, storage = trained
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(tmp_path / "config.yaml"), "--on", f"mine={people(tmp_path / 'mine')}"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mine: folder of identities, 32 images of 8 identities (given)")
    head = next(line.split() for line in lines if line.split()[:1] == ["judge"])
    assert head == ["judge", "mode", "FMR", "R", "F_0", "genuine", "impostor", "model", "sharpness", "random"]
    rows = [line.split() for line in lines if line.strip().startswith("bundled-")]
    assert len(rows) == 8
    assert rows[0][:4] == ["bundled-b", "leaderboard", "0.05", "0.3"]
    assert rows[0][5:7] == ["48", "448"]
    assert storage.exists(RESULT.format("mine"))
    assert not storage.exists("models/default/evaluation.json"), "held-out identities are another command"


def test_scores_of_another_tool_on_a_set(trained, tmp_path):
    """A file for half of the images, or with NaN, is refused, and the earlier result stays."""
    config, storage = trained
    root = people(tmp_path / "mine")
    (test_set,) = open_test_sets([f"mine={root}"])
    (first,) = run_evaluate_on(config, storage, [test_set])
    written = storage.read(RESULT.format("mine"))
    scores = [f"/elsewhere/mine/{name}.png,{number / 7!r}" for number, name in enumerate(test_set.ids)]
    file = tmp_path / "other.csv"

    def given(rows, source="other={}"):
        file.write_text("\n".join(["path,score", *rows]))
        return open_score_files([source.format(file)], config.evaluate.scorers, ["mine"])

    with pytest.raises(UserError, match=r"other\.csv has no score for 16 of 32 images of mine, such as p04/0, p04/1"):
        run_evaluate_on(config, storage, [test_set], score_files=given(scores[:16]))
    assert storage.read(RESULT.format("mine")) == written
    (result,) = run_evaluate_on(config, storage, [test_set], score_files=given([*scores, "x/y.png,1"]))
    assert set(result.headline.methods) == {*first.headline.methods, "other"}
    assert [(one.rows, one.unmatched) for one in result.score_files] == [(33, 1)]
    assert result.basis.scorers["other"] == result.score_files[0].sha256
    table = pq.read_table(pa.BufferReader(storage.read("models/default/scores-mine.parquet")))
    assert table["other"].to_pylist() == [number / 7 for number in range(32)]


def test_the_command_reads_score_files(trained, tmp_path, capsys):
    _, storage = trained
    root = people(tmp_path / "mine")
    (test_set,) = open_test_sets([f"mine={root}"])
    file = tmp_path / "lightqnet.csv"
    file.write_text("\n".join(["path,score", *(f"{name},{number}" for number, name in enumerate(test_set.ids))]))
    words = ["evaluate", "--run", storage.url, "--on", f"mine={root}", "--scores"]
    with pytest.raises(SystemExit) as ended:
        main([*words, f"mine:lightqnet={file}"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "scores     lightqnet: 32 images" in printed
    assert re.search(r"judge +mode .* lightqnet", printed)
    with pytest.raises(SystemExit) as ended:
        main([*words, f"model={file}"])
    assert ended.value.code == 2
    assert "'model' is the name of a scorer or column" in capsys.readouterr().err
