"""Training of a bundled recognition embedder: `python -m synfiqa.fiqa_train.bundled.embedder --name bundled-a`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.imaging.gray import standardise
from synfiqa.actors.model_store.catalogue import BUNDLED, read_bundled
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.actors.players import player
from synfiqa.fiqa_train.bundled.augment import augment
from synfiqa.fiqa_train.bundled.embedder_metrics import match_cosine, verification_metrics
from synfiqa.fiqa_train.bundled.one_cycle import train_one_cycle
from synfiqa.fiqa_train.bundled.publish import publish, write_card
from synfiqa.fiqa_train.bundled.render_set import RenderSet, SetSize, cache_path, cached_render_set
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

SCALE, MARGIN = 24.0, 0.15
MARGIN_FROM, MARGIN_TO = 0.15, 0.45
"""Shares of the training between which the margin rises from 0; with a margin from the start training stalls."""
BATCH, LEARNING_RATE, WEIGHT_DECAY = 32, 4e-3, 0.05


@dataclass(frozen=True)
class EmbedderPlan:
    """Shape of one embedder, its share of the training identities (first, last as fractions) and number of epochs."""

    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    share: tuple[float, float]
    epochs: int


PLANS = {
    "bundled-a": EmbedderPlan((32, 64, 128, 192), (1, 2, 1, 1), (0.0, 5 / 6), 24),
    "bundled-b": EmbedderPlan((24, 64, 128, 160), (1, 1, 2, 1), (1 / 6, 1.0), 24),
}
"""Plans by name: A labels and B evaluates, hence another shape, another seed and partly other identities."""


class CosFace(nn.Module):
    """Large-margin cosine loss (Wang et al. 2018): cross-entropy of s * (cos - m) for the true identity."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim) * 0.05)

    def forward(self, embedding: Tensor, identity: Tensor, margin: float) -> Tensor:
        """Return the mean loss of embeddings (B, dim) against class numbers (B,)."""
        cosine = functional.normalize(embedding) @ functional.normalize(self.weight).T
        shifted = cosine - margin * functional.one_hot(identity, len(self.weight))
        return functional.cross_entropy(SCALE * shifted, identity)


def train_embedder(name: str, faces: RenderSet, folder: Path, seed: int, epochs: int | None = None) -> ModelCard:
    """Train one of `PLANS` on a render set, publish it into the folder and return its card with held-out metrics."""
    plan = PLANS[name]
    net = fit(plan, faces.of("train"), derive_seed(seed, "bootstrap", name), epochs or plan.epochs)
    card = publish(
        net,
        folder,
        name=name,
        role="embedder",
        architecture="small-iresnet",
        arguments={"in_channels": 1, "widths": list(plan.widths), "blocks": list(plan.blocks), "embedding_dim": 128},
        input_size=112,
        channels="gray",
        value_range=None,
        normalise="per-image",
        output="unit vector (128,); the cosine of two measures identity, -1..1",
        cost_gflop=round(gflop(net, torch.zeros(1, 1, 112, 112)), 4),
        trained_on=f"{len(faces.of('train').crops)} renders of this project's procedural heads, bootstrap seed {seed}",
        command=f"python -m synfiqa.fiqa_train.bundled.embedder --name {name} --seed {seed}",
    )
    embed = player(read_bundled(folder / f"{name}.yaml")).embed
    metrics = verification_metrics(embed, faces.select(faces.part != "train"))
    rounded = {key: round(value, 4) for key, value in metrics.items()}
    card = card.model_copy(update={"metrics": rounded, "match_cosine": match_cosine(metrics)})
    write_card(card, folder)
    return card


def margin_at(share: float) -> float:
    """Return the margin after a share of the training, 0..1."""
    return MARGIN * min(1.0, max(0.0, (share - MARGIN_FROM) / (MARGIN_TO - MARGIN_FROM)))


def learnable(recipes: Sequence[Recipe]) -> np.ndarray:
    """Return bool (N,): False for faces beyond what `learnable` of a row of the table of factors allows."""
    limits = [(row, *row.learnable) for row in FACTORS if row.learnable]
    return np.array([all(low <= abs(row.value(recipe)) <= high for row, low, high in limits) for recipe in recipes])


def fit(plan: EmbedderPlan, faces: RenderSet, seed: int, epochs: int) -> SmallIResNet:
    """Train with CosFace and a one-cycle learning rate, in bfloat16 autocast, and return the network."""
    torch.manual_seed(seed)
    rng = generator(seed)
    people = np.unique(faces.identity)
    first, last = (round(part * len(people)) for part in plan.share)
    kept = np.isin(faces.identity, people[first:last]) & learnable(faces.recipes)
    labels = torch.from_numpy(np.searchsorted(people[first:last], faces.identity[kept]))
    gray = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in faces.crops[kept]])
    net = SmallIResNet(widths=plan.widths, blocks=plan.blocks).train()
    loss_function = CosFace(net.project.out_features, last - first)
    steps = max(1, len(gray) // BATCH)

    def losses(epoch: int) -> Iterator[Tensor]:
        order = rng.permutation(len(gray))
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            margin = margin_at((epoch + step / steps) / epochs)
            batch = torch.from_numpy(np.stack([augment(gray[row], rng) for row in rows])).float()
            with torch.autocast("cpu", torch.bfloat16):
                embedding = net(standardise(batch))
            yield loss_function(embedding.float(), labels[rows], margin)

    train_one_cycle(
        [*net.parameters(), *loss_function.parameters()],
        losses,
        epochs=epochs,
        steps=steps,
        rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        rise=0.1,
    )
    return net.eval()


def main() -> None:
    """Render (or reuse) the faces, train, publish, print the digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", choices=sorted(PLANS), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=None, help="override the plan")
    parser.add_argument("--identities", type=int, default=SetSize.identities)
    parser.add_argument("--renders", type=Path, default=None, help="stored renders; made when missing")
    parser.add_argument("--out", type=Path, default=BUNDLED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    renders = options.renders or cache_path(options.seed)
    faces = cached_render_set(renders, options.seed, SetSize(identities=options.identities))
    card = train_embedder(options.name, faces, options.out, options.seed, options.epochs)
    sys.stdout.write(f"{card.name} sha256 {card.sha256}\n")
    for key, value in card.metrics.items():
        sys.stdout.write(f"  {key}: {value}\n")


if __name__ == "__main__":
    main()
