"""Losses of the degradation encoder."""

import pytest
import torch

from synfiqa.fiqa_train.training.methods.contrastive import (
    RepresentationQueue,
    dual_set_loss,
    info_nce,
    similarities,
    soft_proximity,
)

KINDS = torch.eye(4)
"""Representations of four degradations."""


def test_squared_l2_is_the_mean_over_values_and_cosine_has_no_length():
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 2.0], [2.0, 4.0]])
    assert torch.allclose(similarities(a, b, "squared_l2"), torch.tensor([[-2.0, -2.5]]))
    assert similarities(a, b, "cosine")[0, 1] == pytest.approx(1)


def test_a_projection_is_the_mean_of_the_other_set_weighted_by_similarity():
    own, other = torch.tensor([[0.0]]), torch.tensor([[0.0], [1.0]])
    weight = torch.softmax(torch.tensor([0.0, -1 / 0.5]), 0)
    assert torch.allclose(soft_proximity(own, other, 0.5, "squared_l2"), weight[1].reshape(1, 1))


def test_sets_that_agree_on_degradations_cost_less_than_sets_that_do_not():
    none = torch.empty(0, 4)
    agreeing = dual_set_loss(KINDS, KINDS, none, 0.1)
    mixed = dual_set_loss(KINDS, KINDS.mean(0).expand(4, 4), none, 0.1)
    assert agreeing < 0.8 < mixed


def test_both_directions_count_and_the_queue_enlarges_the_target_of_one_face_alone():
    none, others = torch.empty(0, 4), torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    whole = dual_set_loss(KINDS, others, none, 1.0)
    assert torch.allclose(whole, dual_set_loss(others, KINDS, none, 1.0))
    assert not torch.allclose(whole, dual_set_loss(KINDS, others, KINDS * 3, 1.0))


def test_infonce_of_equal_pairs_is_the_softmax_against_the_queue():
    pair, queue = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 5.0], [1.0, 0.0]])
    expected = -torch.log_softmax(torch.tensor([1.0, 0.0, 1.0]) / 0.2, 0)[0]
    assert torch.allclose(info_nce(pair, pair, queue, 0.2), expected)


def test_a_queue_keeps_the_newest_and_its_state_can_be_restored():
    queue = RepresentationQueue(3, 1)
    assert queue.entries().shape == (0, 1)
    queue.add(torch.tensor([[1.0], [2.0]]))
    queue.add(torch.tensor([[3.0], [4.0]]))
    assert queue.entries().flatten().tolist() == [2, 3, 4]
    again = RepresentationQueue(3, 1)
    again.load_state_dict(queue.state_dict())
    assert torch.equal(again.entries(), queue.entries())
    queue.add(torch.arange(5.0)[:, None])
    assert queue.entries().flatten().tolist() == [2, 3, 4]
    RepresentationQueue(0, 1).add(torch.ones(2, 1))
