"""Partial FC: with all centres it is the plain classifier; in a share of them are those of the batch; any workers."""

import multiprocessing
import socket

import pytest
import torch
import torch.distributed

from synfiqa.fiqa_train.training.methods.margins import MarginClasses
from synfiqa.fiqa_train.training.methods.sampled_classes import SampledClasses, drawn_others


def plain_like(sampled):
    found = MarginClasses(sampled.centres.shape[1], sampled.classes, sampled.scale, sampled.margin, sampled.kind)
    found.kernel.data = sampled.get_extra_state()["centres"].T.contiguous()
    return found


def test_with_all_centres_it_is_the_plain_classifier():
    torch.manual_seed(1)
    sampled = SampledClasses(8, 20, 16.0, 0.3, "cosface", 1.0, seed=5)
    plain, classes = plain_like(sampled), torch.tensor([3, 19, -1, 3])
    embeddings = torch.randn(4, 8)
    first, second = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    found, wanted = sampled(first, classes), plain(second, classes)
    assert torch.allclose(found.loss, wanted.loss, rtol=1e-5)
    known = classes >= 0
    assert torch.allclose(found.own[known], wanted.own[known], atol=1e-6)
    assert torch.allclose(found.nearest[known], wanted.nearest[known], atol=1e-6)
    found.loss.backward()
    wanted.loss.backward()
    assert torch.allclose(first.grad, second.grad, atol=1e-6)
    optimiser = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    optimiser.step()
    sampled.step(0.1, 0.9, 5e-4)
    assert torch.allclose(sampled.centres, plain.kernel.data.T, atol=1e-6)


def test_a_share_holds_the_classes_of_the_batch_and_moves_no_other():
    torch.manual_seed(2)
    sampled = SampledClasses(8, 1000, 16.0, 0.3, "arcface", 0.05, seed=5)
    before = sampled.centres.clone()
    sampled(torch.randn(4, 8), torch.tensor([7, 500, 999, 7])).loss.backward()
    drawn = set(sampled._drawn.tolist())
    assert {7, 500, 999} <= drawn
    # Drawn with replacement, equal shares of more classes used to hold more different ones.
    assert len(drawn) == 50
    sampled.step(0.1, 0.9, 0.0)
    moved = set(torch.nonzero((sampled.centres != before).any(dim=1)).flatten().tolist())
    assert {7, 500, 999} <= moved <= drawn


@pytest.mark.parametrize(("wanted", "count"), [(0, 10), (7, 10), (40, 100), (40, 100_000)])
def test_other_classes_are_different_untaken_and_equally_likely(wanted, count):
    torch.manual_seed(4)
    taken, seen, upper = torch.tensor([0, 1, 2]), torch.zeros(count), slice(count // 2, count)
    for _ in range(300):
        others = drawn_others(taken, wanted, count)
        assert len(set(others.tolist()) - {0, 1, 2}) == wanted
        seen[others] += 1
    expected = 300 * wanted / (count - 3)
    assert abs(float(seen[upper].mean()) - expected) <= 4 * (expected / len(seen[upper])) ** 0.5


def _worker(rank, world, port, found):
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    sampled = SampledClasses(8, 21, 16.0, 0.3, "arcface", 1.0, seed=5)
    torch.manual_seed(9)
    embeddings, classes = torch.randn(4 * world, 8), torch.arange(4 * world) * 2
    part = slice(4 * rank, 4 * rank + 4)
    own = embeddings[part].clone().requires_grad_()
    result = sampled(own, classes[part])
    result.loss.backward()
    gradient = own.grad / world  # as DistributedDataParallel averages it
    sampled.step(0.1, 0.9, 5e-4)
    found[rank] = (float(result.loss), gradient, result.own, result.nearest, sampled.get_extra_state())
    torch.distributed.destroy_process_group()


def test_two_workers_with_half_of_the_centres_each_do_what_one_does():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        found = manager.dict()
        workers = [context.Process(target=_worker, args=(rank, 2, port, found)) for rank in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        results = [found[rank] for rank in range(2)]
    alone = SampledClasses(8, 21, 16.0, 0.3, "arcface", 1.0, seed=5)
    torch.manual_seed(9)
    embeddings, classes = torch.randn(8, 8).requires_grad_(), torch.arange(8) * 2
    wanted = alone(embeddings, classes)
    wanted.loss.backward()
    alone.step(0.1, 0.9, 5e-4)
    for rank, (loss, gradient, own, nearest, state) in enumerate(results):
        part = slice(4 * rank, 4 * rank + 4)
        assert loss == pytest.approx(float(wanted.loss), rel=1e-5)
        assert torch.allclose(gradient, embeddings.grad[part], atol=1e-6)
        assert torch.allclose(own, wanted.own[part], atol=1e-6)
        assert torch.allclose(nearest, wanted.nearest[part], atol=1e-6)
        assert torch.allclose(state["centres"], alone.centres, atol=1e-6), "the state holds the parts of all workers"
