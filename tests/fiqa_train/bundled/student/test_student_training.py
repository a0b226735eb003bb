"""A student reproduces the centred space of a teacher; bundled-b teaches here, since it is quick."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from synfiqa.actors.model_store.catalogue import bundled, read_bundled
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.actors.players import player
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.fiqa_train.bundled.student.run_faces import faces_of_run, seen_and_held_out
from synfiqa.fiqa_train.bundled.student.strong_faults import FAULTS, gain, strong
from synfiqa.fiqa_train.bundled.student.student_metrics import agreement, labels_by, tar_by_fault, units_of
from synfiqa.fiqa_train.bundled.student.student_network import (
    FACES_EACH,
    NAME,
    PEOPLE,
    fit_student,
    grouped_batches,
    matching_loss,
    train_student,
)
from synfiqa.jobs.workflows import bundled_networks
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.labelled_run import make_run

TEACHER = "bundled-b"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.set_num_threads(1)
    _, storage = make_run(tmp_path_factory.mktemp("student") / "run", labels=False, generate={"identities": 6})
    return storage


@pytest.fixture(scope="module")
def faces(run):
    return faces_of_run(run, bundled()[TEACHER])


@pytest.fixture(scope="module")
def teacher():
    return player(bundled()[TEACHER]).embed


@pytest.mark.parametrize("name", FAULTS)
def test_a_strong_fault_costs_recognition(faces, teacher, name):
    clean = faces.crops[faces.reference]
    cosines = (teacher(clean) * teacher(strong(clean, name, 0))).sum(axis=1)
    # This teacher has seen dark faces in training, and hardly loses any.
    assert cosines.mean() < (0.995 if name in ("dark", "bright") else 0.97)


def test_gain_acts_on_linear_light():
    grey = np.full((2, 2, 3), 128, np.uint8)
    assert gain(grey, 0.5)[0, 0, 0] == pytest.approx(128 * 0.5 ** (1 / 2.2), abs=1)
    assert (gain(grey, 8) == 255).all()


def test_the_faces_of_a_run_come_with_the_teachers_vectors(run, faces, teacher):
    store = ShardStore(run, load_run(run).fingerprint)
    kinds = [kind for table in store.tables("samples", ("kind",)) for kind in table["kind"].to_pylist()]
    assert np.array_equal(faces.reference, np.array(kinds) == "reference")
    np.testing.assert_allclose(faces.vectors[:3], teacher(faces.crops[:3]), atol=1e-5)
    stored = [path for path in run.list("vectors") if TEACHER in path]
    assert len(stored) == len(store.committed("samples")), "kept in the run, as the label pass keeps them"


def test_the_people_of_the_metrics_are_not_those_of_the_training(faces):
    seen, held_out = seen_and_held_out(faces, 0)
    assert set(seen.identity.tolist()).isdisjoint(held_out.identity.tolist())
    assert len(seen.crops) + len(held_out.crops) == len(faces.crops)
    with pytest.raises(UserError, match="at least 3"):
        seen_and_held_out(faces.select(faces.identity == faces.identity[0]), 0)


def test_a_batch_has_several_faces_of_each_of_its_people():
    """Labels are cosines of faces of one person, of which a batch drawn at random has hardly any pairs."""
    identity = np.repeat(np.arange(10), 2 * FACES_EACH)
    batches = grouped_batches(identity, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(identity))), "each face once an epoch"
    people, counts = np.unique(identity[batches[0]], return_counts=True)
    assert len(people) <= PEOPLE
    assert counts.min() >= FACES_EACH


def test_the_loss_is_nought_in_the_space_of_the_teacher_and_grows_away_from_it():
    target = functional.normalize(torch.randn(8, 6, generator=torch.Generator().manual_seed(0)))
    assert float(matching_loss(3 * target, target)) == pytest.approx(0, abs=1e-6)
    assert float(matching_loss(-target, target)) == pytest.approx(2, abs=1e-5), "pairs agree, single vectors do not"
    assert float(matching_loss(target.roll(1, dims=0), target)) > 0.5


def test_a_student_learns_the_space(faces):
    targets = units_of(faces.vectors, faces.reference)

    def error(net):
        pixels = torch.from_numpy(faces.crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            found = functional.normalize(net(pixels))
        return 1 - float((found * torch.from_numpy(targets)).sum(dim=1).mean())

    early, late = (fit_student(faces, targets, 1, epochs) for epochs in (3, 30))
    assert error(late) < 0.8 * error(early)


def test_a_network_agrees_with_itself_and_loses_people_under_strong_faults(faces, teacher):
    labels = labels_by(faces.vectors, faces)
    assert len(labels) == (~faces.reference).sum(), "references are targets, not samples"
    assert ((labels >= 0) & (labels <= 1)).all()
    assert agreement(faces.vectors, faces) == pytest.approx(1)
    noise = np.random.default_rng(0).normal(0, 0.2, faces.vectors.shape).astype(np.float32)
    assert agreement(faces.vectors + noise, faces) < 0.95
    tar = tar_by_fault(teacher, faces.select(faces.reference), 0)
    assert set(tar) == {"clean", *FAULTS}
    assert tar["clean"] >= tar["resolution"]


def test_a_student_is_published_with_its_figures_and_repeats(faces, tmp_path):
    cards = [train_student(bundled()[TEACHER], faces, "f" * 64, tmp_path / part, 1, epochs=1) for part in "ab"]
    assert cards[0].sha256 == cards[1].sha256
    stored = read_bundled(tmp_path / "a" / f"{NAME}.yaml")
    assert stored.card == cards[0]
    assert check_model(stored).notes == []
    assert {"label_spearman", "teacher_tar_clean", "student_tar_noise"} <= cards[0].metrics.keys()
    assert f"run {'f' * 16}, as a student of {TEACHER}" in cards[0].trained_on


def test_bootstrap_learns_on_the_run_that_is_named_or_on_that_of_the_quality_model(run, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(bundled_networks, "_generated", lambda config: made.append(config.run.url) or run)
    taken = "synfiqa.fiqa_train.bundled.student.student_network.train_student"
    monkeypatch.setattr(taken, lambda teacher, faces, fingerprint, folder, seed: (len(faces.crops), fingerprint))
    named = bundled_networks.bootstrap_student(bundled_networks.BUNDLED, 0, TEACHER, run.url)
    assert made == []
    monkeypatch.chdir(tmp_path)
    assert bundled_networks.bootstrap_student(bundled_networks.BUNDLED, 0, TEACHER) == named
    assert "quality-0-" in made[0]


def test_bootstrap_trains_each_part_when_it_is_named_and_all_in_their_order(monkeypatch, tmp_path):
    made = []
    for name in ("train_networks", "bootstrap_quality", "train_portrait_quality", "bootstrap_student"):
        value = [] if name == "train_networks" else bundled()[TEACHER].card
        monkeypatch.setattr(bundled_networks, name, lambda *_, name=name, value=value: made.append(name) or value)
    for part, wanted in (
        ("all", ["train_networks", "bootstrap_quality", "bootstrap_student", "train_portrait_quality"]),
        ("dsl", ["train_portrait_quality"]),
        ("networks", ["train_networks"]),
        ("quality", ["bootstrap_quality"]),
        ("student", ["bootstrap_student"]),
    ):
        made.clear()
        bundled_networks.run_bootstrap(tmp_path, 0, part)
        assert made == wanted
