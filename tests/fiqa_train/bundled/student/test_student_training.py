"""A student reproduces the centred space of a teacher; bundled-b teaches here, since it is quick."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from synfiqa.actors.model_store.catalogue import bundled, read_bundled
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.actors.players import player
from synfiqa.fiqa_train.bundled.render_set import SetSize, render_set
from synfiqa.fiqa_train.bundled.student import student_network
from synfiqa.fiqa_train.bundled.student.crop_faults import COUNTS, FAULTS, faulted, gain, strong
from synfiqa.fiqa_train.bundled.student.student_metrics import agreement, labels_by, tar_by_fault
from synfiqa.fiqa_train.bundled.student.student_network import NAME, fit_student, matching_loss, train_student
from synfiqa.fiqa_train.bundled.student.teacher_space import faces_with_faults, units_of, vectors_of
from synfiqa.jobs.workflows import bundled_networks


@pytest.fixture(scope="module")
def renders():
    torch.set_num_threads(1)
    return render_set(5, SetSize(identities=5, references=3, varied=5, held_out=3, laddered=0), processes=1)


@pytest.fixture(scope="module")
def teacher():
    return player(bundled()["bundled-b"]).embed


def test_faults_are_drawn_from_none_to_three_and_repeat(renders):
    crop = renders.crops[0]
    first = [faulted(crop, np.random.default_rng(seed)) for seed in range(40)]
    again = [faulted(crop, np.random.default_rng(seed)) for seed in range(40)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert {(image.shape, image.dtype) for image in first} == {((112, 112, 3), np.dtype(np.uint8))}
    apart = np.array([np.abs(image.astype(float) - crop).mean() for image in first])
    assert (apart < 3).mean() == pytest.approx(COUNTS[0], abs=0.25)
    assert apart.max() > 30


@pytest.mark.parametrize("name", FAULTS)
def test_a_strong_fault_costs_recognition(renders, teacher, name):
    clean = renders.of("clean").crops
    spoilt = strong(clean, name, 0)
    cosines = (teacher(clean) * teacher(spoilt)).sum(axis=1)
    # This teacher has seen dark faces in training, and hardly loses any.
    assert cosines.mean() < (0.995 if name in ("dark", "bright") else 0.97)


def test_gain_acts_on_linear_light():
    grey = np.full((2, 2, 3), 128, np.uint8)
    assert gain(grey, 0.5)[0, 0, 0] == pytest.approx(128 * 0.5 ** (1 / 2.2), abs=1)
    assert (gain(grey, 8) == 255).all()


def test_references_stay_clean_and_the_others_come_as_often_as_wanted(renders):
    train = renders.of("train")
    faces = faces_with_faults(train, 1, copies=2)
    assert faces.reference.sum() == 5 * 3
    assert len(faces.crops) == 5 * (3 + 2 * 5)
    kinds = np.array([recipe.kind for recipe in train.recipes])
    assert np.array_equal(faces.crops[faces.reference], train.crops[kinds == "reference"])


def test_the_loss_is_nought_in_the_space_of_the_teacher_and_grows_away_from_it():
    target = functional.normalize(torch.randn(8, 6, generator=torch.Generator().manual_seed(0)))
    assert float(matching_loss(3 * target, target)) == pytest.approx(0, abs=1e-6)
    assert float(matching_loss(-target, target)) == pytest.approx(2, abs=1e-5), "pairs agree, single vectors do not"
    assert float(matching_loss(target.roll(1, dims=0), target)) > 0.5


def test_a_student_learns_the_space(renders, teacher):
    faces = faces_with_faults(renders.of("train"), 1)
    targets = units_of(vectors_of(teacher, faces.crops), faces.reference)

    def error(net):
        gray = torch.from_numpy(faces.crops @ np.array([0.299, 0.587, 0.114], np.float32))
        with torch.inference_mode():
            found = functional.normalize(net(student_network.standardise(gray)))
        return 1 - float((found * torch.from_numpy(targets)).sum(dim=1).mean())

    early, late = (fit_student(faces, targets, 1, epochs) for epochs in (3, 30))
    assert error(late) < 0.8 * error(early)


def test_a_network_agrees_with_itself_and_its_labels_fall_with_faults(renders, teacher):
    faces = faces_with_faults(renders.of("clean"), 1)
    assert len(labels_by(teacher, faces)) == 0, "references are targets, not samples"
    faces = faces_with_faults(renders.select(renders.part != "train"), 1)
    labels = labels_by(teacher, faces)
    assert len(labels) == 3 * 12
    assert ((labels >= 0) & (labels <= 1)).all()
    assert agreement(teacher, teacher, faces) == pytest.approx(1)
    tar = tar_by_fault(teacher, renders.of("clean"), 0)
    assert set(tar) == {"clean", "noise", "jpeg", "blur", "resolution", "dark", "bright"}
    assert tar["clean"] >= tar["resolution"]


def test_a_student_is_published_with_its_figures_and_repeats(renders, tmp_path):
    cards = [train_student(bundled()["bundled-b"], renders, tmp_path / part, 1, epochs=1) for part in "ab"]
    assert cards[0].sha256 == cards[1].sha256
    stored = read_bundled(tmp_path / "a" / f"{NAME}.yaml")
    assert stored.card == cards[0]
    assert check_model(stored).notes == []
    assert {"label_spearman", "teacher_tar_clean", "student_tar_noise"} <= cards[0].metrics.keys()
    assert "student of bundled-b" in cards[0].trained_on


def test_bootstrap_trains_a_student_only_when_it_is_named(monkeypatch, tmp_path):
    made = []
    for name in ("train_networks", "bootstrap_quality", "train_portrait_quality", "bootstrap_student"):
        value = [] if name == "train_networks" else bundled()["bundled-b"].card
        monkeypatch.setattr(bundled_networks, name, lambda *_, name=name, value=value: made.append(name) or value)
    for part, wanted in (
        ("all", ["train_networks", "bootstrap_quality", "train_portrait_quality"]),
        ("dsl", ["train_portrait_quality"]),
        ("networks", ["train_networks"]),
        ("quality", ["bootstrap_quality"]),
        ("student", ["bootstrap_student"]),
    ):
        made.clear()
        bundled_networks.run_bootstrap(tmp_path, 0, part)
        assert made == wanted
