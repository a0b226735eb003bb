"""Each objective on a tiny network: its terms, its target, and what it leaves out."""

import numpy as np
import pytest
import torch
from torch import nn

from synfiqa.fiqa_train.training.methods.classifiability import Classifiability, certainty_ratio
from synfiqa.fiqa_train.training.methods.distillation import Distillation, luma
from synfiqa.fiqa_train.training.methods.label_head import LabelHead
from synfiqa.fiqa_train.training.methods.label_regression import LabelRegression, quality_loss
from synfiqa.fiqa_train.training.methods.margins import Classified, MarginClasses
from synfiqa.fiqa_train.training.methods.table import build_objective, require_classes
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError

NOTHING = float("nan")


class Tiny(nn.Module):
    """Embeds the mean colours of faces; the score is a linear function of the embedding."""

    embedding_dim = 4

    def __init__(self):
        super().__init__()
        self.embed, self.rate = nn.Linear(3, 4), nn.Linear(4, 1)

    def embed_and_score(self, x):
        embedding = self.embed(x.mean(dim=(2, 3)))
        return embedding, self.rate(embedding).squeeze(1)

    def forward(self, x):
        return self.embed_and_score(x)[1]


def unit(pixels):
    return pixels / 127.5 - 1


@pytest.fixture
def batch():
    torch.manual_seed(3)
    return torch.rand(6, 3, 112, 112) * 255, torch.tensor([0.1, NOTHING, 0.5, 0.7, 0.9, 0.2]), torch.arange(6) % 3


def centres():
    torch.manual_seed(4)
    return MarginClasses(4, 3, 64.0, 0.5, "arcface")


def test_the_published_ratio_adds_one_to_the_nearest_and_the_bare_one_does_not():
    found = Classified(torch.zeros(()), torch.tensor([0.6, 0.6]), torch.tensor([0.2, -0.3]))
    assert torch.allclose(certainty_ratio(found, "published"), torch.tensor([0.6 / 1.2, 0.6 / 0.7]))
    bare = certainty_ratio(found, "bare")
    assert bare.tolist() == pytest.approx([3.0, 0.6e9]), "the release floors it at 0"


def test_classifiability_weighs_the_score_against_the_ratio(batch):
    pixels, quality, classes = batch
    objective = Classifiability(Tiny(), unit, centres(), 10.0, "published")
    terms = objective(pixels, quality, classes)
    embeddings, scores = objective.embeddings_and_scores(pixels)
    found = objective.beside["classes"](embeddings, classes)
    wanted = nn.functional.smooth_l1_loss(scores, certainty_ratio(found, "published"), beta=0.5)
    assert torch.allclose(terms["loss"], found.loss + 10 * wanted)
    terms["loss"].backward()
    assert all(part.weight.grad.abs().sum() > 0 for part in (objective.network.rate, objective.network.embed))


def test_the_label_head_leaves_out_rows_without_a_label(batch):
    pixels, quality, classes = batch
    objective = LabelHead(Tiny(), unit, None, 10.0)
    there = ~torch.isnan(quality)
    wanted = nn.functional.smooth_l1_loss(objective.scores(pixels)[there], quality[there], beta=0.5)
    assert torch.allclose(objective(pixels, quality, classes)["loss"], wanted)
    beside = LabelHead(objective.network, unit, centres(), 10.0)(pixels, quality, classes)
    assert torch.allclose(beside["loss"], beside["identity"] + 10 * beside["quality"])


def test_label_regression_is_the_loss_of_the_labelled_rows(batch):
    pixels, quality, classes = batch
    objective = LabelRegression(Tiny(), unit)
    there = ~torch.isnan(quality)
    wanted = quality_loss(objective.scores(pixels)[there], quality[there])
    assert torch.allclose(objective(pixels, quality, classes)["loss"], wanted)
    nothing = objective(pixels, torch.full((6,), NOTHING), classes)["loss"]
    nothing.backward()
    assert torch.isfinite(nothing), "a batch without labels still has a gradient to average"


def test_a_teacher_sees_the_pixels_that_the_network_sees(batch):
    pixels, quality, classes = batch
    seen = []

    def teacher(images):
        seen.append(images)
        return images.mean(axis=(1, 2, 3)) / 255

    objective = Distillation(Tiny(), unit, teacher, gray=False)
    loss = objective(pixels, quality, classes)["loss"]
    assert (seen[0].dtype, seen[0].shape) == (np.uint8, (6, 112, 112, 3))
    assert np.array_equal(seen[0][2, 5, 7], pixels[2, :, 5, 7].round().to(torch.uint8).numpy())
    target = torch.from_numpy(seen[0].mean(axis=(1, 2, 3)) / 255).float()
    assert torch.allclose(loss, quality_loss(objective.scores(pixels), target))


def test_luma_is_that_of_bt601():
    assert luma(torch.tensor([[[[255.0]], [[0.0]], [[0.0]]]])).item() == pytest.approx(0.299 * 255)


@pytest.mark.parametrize("method", ["cr_fiqa", "mr_fiqa", "vit_fiqa"])
def test_one_identity_cannot_be_classified(method):
    with pytest.raises(UserError, match=f"train.method={method} classifies identities but the training has 1: add"):
        require_classes(TrainSection(method=method), 1)


def test_centres_are_fixed_by_the_seed_alone():
    section = TrainSection(method="cr_fiqa")
    first, second = (build_objective(section, Tiny(), unit, 7, seed=5) for _ in range(2))
    other = build_objective(section, Tiny(), unit, 7, seed=6)
    assert torch.equal(first.beside["classes"].kernel, second.beside["classes"].kernel)
    assert not torch.equal(first.beside["classes"].kernel, other.beside["classes"].kernel)
