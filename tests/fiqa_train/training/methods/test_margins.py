"""Margins: ArcFace and CosFace by hand, cosines before the margin, rows without a class."""

import math

import pytest
import torch

from synfiqa.fiqa_train.training.methods.margins import MarginClasses, with_margin


def classes_of(kernel, kind="arcface", scale=64.0, margin=0.5):
    found = MarginClasses(kernel.shape[0], kernel.shape[1], scale, margin, kind)
    found.kernel.data = kernel.clone()
    return found


def test_arcface_adds_the_margin_to_the_angle():
    angle = torch.tensor([0.3, 1.2, 2.9])
    assert torch.allclose(with_margin(angle.cos(), 0.5, "arcface"), (angle + 0.5).cos(), atol=1e-5)


def test_cosface_subtracts_it_from_the_cosine():
    assert torch.allclose(with_margin(torch.tensor([0.7]), 0.4, "cosface"), torch.tensor([0.3]))


def test_the_loss_is_that_of_the_definition():
    torch.manual_seed(0)
    kernel, embeddings, classes = torch.randn(8, 5), torch.randn(3, 8), torch.tensor([4, 0, 2])
    found = classes_of(kernel)(embeddings, classes)
    wanted = []
    for row, own in zip(embeddings, classes.tolist(), strict=True):
        cosines = [float(torch.nn.functional.cosine_similarity(row, kernel[:, c], dim=0)) for c in range(5)]
        logits = [64 * (math.cos(math.acos(c) + 0.5) if index == own else c) for index, c in enumerate(cosines)]
        top = max(logits)
        wanted.append(top + math.log(sum(math.exp(value - top) for value in logits)) - logits[own])
        assert found.own[len(wanted) - 1] == pytest.approx(cosines[own], abs=1e-5), "before the margin"
        others = [c for index, c in enumerate(cosines) if index != own]
        assert found.nearest[len(wanted) - 1] == pytest.approx(max(others), abs=1e-5), "the own class is masked"
    assert found.loss.item() == pytest.approx(sum(wanted) / 3, rel=1e-4)
    assert not any(cosines.requires_grad for cosines in (found.own, found.nearest))


def test_a_row_without_a_class_does_not_count():
    torch.manual_seed(0)
    kernel, embeddings = torch.randn(8, 5), torch.randn(3, 8)
    with_unknown = classes_of(kernel)(embeddings, torch.tensor([4, -1, 2]))
    without = classes_of(kernel)(embeddings[[0, 2]], torch.tensor([4, 2]))
    assert torch.allclose(with_unknown.loss, without.loss)
    assert float(classes_of(kernel)(embeddings, torch.tensor([-1, -1, -1])).loss) == 0


def test_the_gradient_is_finite_where_a_face_is_its_own_centre():
    kernel = torch.eye(4)
    embeddings = torch.eye(4)[:2].requires_grad_()
    classes_of(kernel)(embeddings, torch.tensor([0, 1])).loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_one_class_is_no_classification():
    with pytest.raises(ValueError, match="at least 2 classes"):
        MarginClasses(8, 1, 64, 0.5, "arcface")
