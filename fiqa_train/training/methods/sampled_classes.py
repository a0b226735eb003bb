"""Class centres spread over the workers, of which a step uses a sample (partial FC, 2203.15565)."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
import torch.distributed.nn.functional as spread
from torch import Tensor, nn

from synfiqa.fiqa_train.training.methods.margins import CENTRE_STD, Classified, Kind, with_margin


class SampledClasses(nn.Module):
    """Centres (C, D) in equal parts over all workers; a step uses those of its images and a drawn share of the others.

    The softmax runs over the drawn centres of all workers. Centres have their own SGD, since only those that were drawn
    move: cost and memory traffic of a step depend on how many are drawn, not on C.
    """

    def __init__(
        self, dim: int, classes: int, scale: float, margin: float, kind: Kind, sample_rate: float, seed: int
    ) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classification needs at least 2 classes, not {classes}")
        joined = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank, self.world = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if joined else (0, 1)
        self.classes, self.scale, self.margin, self.kind, self.rate = classes, scale, margin, kind, sample_rate
        self.per_worker = -(-classes // self.world)
        self.first = self.rank * self.per_worker
        size = max(0, min(self.per_worker, classes - self.first))
        drawn = torch.Generator().manual_seed(seed % 2**63)
        # Drawn class by class over all workers, so that the start does not depend on their number.
        whole = torch.randn(classes, dim, generator=drawn) * CENTRE_STD
        # No buffers: DistributedDataParallel would overwrite them with those of the first worker.
        self.centres = whole[self.first : self.first + size].clone()
        self.velocity = torch.zeros_like(self.centres)
        self._drawn: Tensor | None = None
        self._active: Tensor | None = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SampledClasses":
        super()._apply(fn, recurse)
        self.centres, self.velocity = fn(self.centres), fn(self.velocity)
        return self

    def forward(self, embeddings: Tensor, classes: Tensor) -> Classified:
        """Classify un-normalised embeddings (B, D) of this worker; rows of class -1 do not count.

        `loss` is the mean over the rows of all workers, the cosines are those of this worker's rows.
        """
        rows = len(embeddings)
        vectors = nn.functional.normalize(embeddings.float(), dim=1)
        if self.world > 1:
            vectors = torch.cat(spread.all_gather(vectors))
            gathered = [torch.empty_like(classes) for _ in range(self.world)]
            torch.distributed.all_gather(gathered, classes.contiguous())
            classes = torch.cat(gathered)
        local = classes - self.first
        mine = (classes >= 0) & (local >= 0) & (local < len(self.centres))
        self._draw(local[mine])
        assert self._drawn is not None
        assert self._active is not None
        cosines = (vectors @ nn.functional.normalize(self._active, dim=1).T).clamp(-1, 1)
        column = torch.searchsorted(self._drawn, local.clamp(0)).clamp_max(max(0, len(self._drawn) - 1))[:, None]
        own = cosines.gather(1, column).squeeze(1)
        other = torch.where(mine, -math.inf, own.detach())[:, None]
        nearest = cosines.detach().scatter(1, column, other).max(dim=1).values
        changed = torch.where(mine, with_margin(own, self.margin, self.kind), own)
        logits = self.scale * cosines.scatter(1, column, changed[:, None])
        target = torch.where(mine, self.scale * changed, torch.zeros_like(changed))
        loss = self._cross_entropy(logits, target, classes >= 0)
        known = self._over_all(torch.where(mine, own.detach(), torch.zeros_like(own)), torch.distributed.ReduceOp.SUM)
        nearest = self._over_all(nearest, torch.distributed.ReduceOp.MAX)
        here = slice(self.rank * rows, (self.rank + 1) * rows)
        return Classified(loss, known[here], nearest[here])

    def _draw(self, positive: Tensor) -> None:
        """Choose the centres of the step: those of its images, and drawn ones up to the share."""
        positive, count = positive.unique(), len(self.centres)
        if self.rate >= 1:
            chosen = torch.arange(count, device=positive.device)
        else:
            wanted = max(0, math.ceil(self.rate * count) - len(positive))
            chosen = torch.cat([positive, drawn_others(positive, wanted, count)]).sort().values
        self._drawn = chosen
        self._active = self.centres[chosen].detach().requires_grad_(torch.is_grad_enabled())

    def _cross_entropy(self, logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        highest = self._over_all(logits.detach().max(dim=1).values, torch.distributed.ReduceOp.MAX)
        total = (logits - highest[:, None]).exp().sum(dim=1)
        if self.world > 1:
            total, target = spread.all_reduce(total), spread.all_reduce(target)
        losses = total.log() + highest - target
        return (losses * counted).sum() / counted.sum().clamp_min(1)

    def _over_all(self, values: Tensor, how: Any) -> Tensor:
        if self.world > 1:
            values = values.contiguous().clone()
            torch.distributed.all_reduce(values, how)
        return values

    @torch.no_grad()
    def step(self, rate: float, momentum: float, weight_decay: float, unscale: float = 1.0) -> None:
        """Move the centres that the last step used against their gradient, by SGD with momentum.

        `unscale` is the factor that undoes a scaled loss.
        """
        if self._drawn is None or self._active is None or self._active.grad is None:
            return
        # Each worker's loss is that of all rows, and the sums over workers add their gradients up.
        gradient = self._active.grad * (unscale / self.world) + weight_decay * self._active
        moved = momentum * self.velocity[self._drawn] + gradient
        self.velocity[self._drawn] = moved
        self.centres[self._drawn] = self._active - rate * moved
        self._drawn = self._active = None

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return centres and velocities of all workers, in order of classes; called by all of them."""
        return {"centres": self._gathered(self.centres), "velocity": self._gathered(self.velocity)}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Take this worker's part, whatever the number of workers was."""
        part = slice(self.first, self.first + len(self.centres))
        self.centres = state["centres"][part].to(self.centres.device).clone()
        self.velocity = state["velocity"][part].to(self.velocity.device).clone()

    def _gathered(self, values: Tensor) -> Tensor:
        if self.world == 1:
            return values.detach().cpu().clone()
        padded = values.new_zeros(self.per_worker, values.shape[1])
        padded[: len(values)] = values
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        torch.distributed.all_gather(parts, padded)
        return torch.cat(parts)[: self.classes].cpu()


def drawn_others(taken: Tensor, wanted: int, count: int) -> Tensor:
    """Return `wanted` different numbers below `count` (int64) that are not among the `taken` ones, in random order.

    All are equally likely, and the time does not grow with `count` while few are wanted.
    """
    if 2 * (wanted + len(taken)) > count:
        order = torch.randperm(count, device=taken.device)
        return order[~torch.isin(order, taken)][:wanted]
    found = taken.new_empty(0)
    while len(found) < wanted:
        # At most half of the numbers are in use, so that a draw of twice the rest nearly always suffices.
        more = torch.randint(0, count, (2 * (wanted - len(found)) + 16,), device=taken.device)
        fresh = torch.cat([found, more]).unique()
        fresh = fresh[~torch.isin(fresh, taken)]
        found = fresh[torch.randperm(len(fresh), device=taken.device)]
    return found[:wanted]
