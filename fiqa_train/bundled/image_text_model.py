"""Training of the bundled dual encoder: `python -m synfiqa.fiqa_train.bundled.image_text_model`."""

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.image_text.captions import (
    FACTORS,
    HARSH_FROM,
    WORDINGS,
    attributes,
    caption,
    unevenness,
    vocabulary,
)
from synfiqa.actors.model_store.catalogue import BUNDLED, read_bundled
from synfiqa.actors.nets.small_clip import WordTokenizer, clip_input, small_clip
from synfiqa.actors.players import player
from synfiqa.fiqa_train.bundled.caption_metrics import caption_metrics
from synfiqa.fiqa_train.bundled.one_cycle import train_one_cycle
from synfiqa.fiqa_train.bundled.publish import publish, write_card
from synfiqa.fiqa_train.bundled.render_set import RenderSet, SetSize, cache_path, cached_render_set
from synfiqa.fiqa_train.bundled.variation import degraded_crop, draw_variation
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

NAME = "bundled-clip"
ARGUMENTS: dict[str, Any] = {
    "context_length": 60,
    "embed_dim": 96,
    "image_size": 112,
    "widths": [24, 48, 96, 160],
    "blocks": [1, 1, 1, 1],
    "text_width": 96,
    "text_layers": 2,
    "mlp_ratio": 2.0,
}
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 18, 48, 1e-3, 0.1
VARIATIONS = 4
HEADS_WEIGHT = 3.0
"""Weight of the factor classifiers' loss beside the contrastive loss."""
FACTOR_WEIGHTS = {"sharpness": 4.0, "light": 2.0}
"""Weights of factors in it, 1 for the others. Other faults of the capture hide these two."""
THREADS = 2
"""Torch threads of the training; fixed, so that the result is repeatable on a machine."""
LOGIT_SCALE = 30.0
"""Fixed scale of the logits. A learned one depends on the margins between captions of few renders, and cosines spread
over all of -1..1 would dominate labels, which divide by 1 - kappa v_l."""
MENTION_RATE = 0.75
OCCLUDED_WEIGHT, PROFILE_WEIGHT, HARSH_WEIGHT, PROFILE_YAW = 2.0, 1.5, 1.5, 55.0


def mention(rng: np.random.Generator) -> list[str]:
    """Draw the factors that a caption mentions; occlusion always."""
    return [factor for factor in FACTORS if factor == "occlusion" or rng.random() < MENTION_RATE]


def truth(classes: Tensor, mentioned: Tensor) -> Tensor:
    """Return bool (B, B): True where every factor that caption j mentions agrees with image i.

    `classes` (B, F) are class numbers of each image's factors, `mentioned` (B, F) the factors in caption j.
    """
    agree = classes[:, None] == classes[None, :]
    return (agree | ~mentioned[None, :]).all(dim=-1)


def contrastive_loss(image: Tensor, text: Tensor, true: Tensor) -> Tensor:
    """Return CLIP's symmetric cross-entropy with the target spread evenly over all true pairs."""
    logits = LOGIT_SCALE * image @ text.T
    target = true.float()
    over_captions = functional.cross_entropy(logits, target / target.sum(dim=1, keepdim=True))
    over_images = functional.cross_entropy(logits.T, target.T / target.T.sum(dim=1, keepdim=True))
    return (over_captions + over_images) / 2


def train_image_text(faces: RenderSet, folder: Path, seed: int, epochs: int = EPOCHS) -> ModelCard:
    """Train the dual encoder on a render set, publish it and return its card with held-out metrics."""
    words = vocabulary()
    tokenizer = WordTokenizer(words, ARGUMENTS["context_length"])
    net = fit(faces.of("train"), tokenizer, derive_seed(seed, "bootstrap", NAME), epochs)
    card = publish(
        net,
        folder,
        name=NAME,
        role="image_text",
        architecture="small-clip",
        arguments={**ARGUMENTS, "vocabulary": words},
        input_size=ARGUMENTS["image_size"],
        channels="rgb",
        value_range=(0.0, 1.0),
        normalise="clip",
        output="cosine of image and caption, -1..1",
        trained_on=f"{len(faces.of('train').crops)} renders of this project's procedural heads, bootstrap seed {seed}",
        command=f"python -m synfiqa.fiqa_train.bundled.image_text_model --seed {seed}",
    )
    metrics = caption_metrics(player(read_bundled(folder / f"{NAME}.yaml")), faces.select(faces.part != "train"))
    card = card.model_copy(update={"metrics": {key: round(value, 4) for key, value in metrics.items()}})
    write_card(card, folder)
    return card


class FactorHeads(nn.Module):
    """Linear classifiers of every factor on the image features, used as an auxiliary loss in training alone."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(dim, len(WORDINGS[factor])) for factor in FACTORS])
        self.weights = torch.tensor([FACTOR_WEIGHTS.get(factor, 1.0) for factor in FACTORS])

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Return the weighted mean cross-entropy of features (B, dim) against class numbers (B, F)."""
        losses = [functional.cross_entropy(head(features), classes[:, i]) for i, head in enumerate(self.heads)]
        return (torch.stack(losses) * self.weights).mean()


@dataclass(frozen=True)
class Pool:
    """Training images at network input size, uint8 RGB (N, size, size, 3), with recipes and draw probability.

    `classes` (N, F) are class numbers of each image's factors; `worded` (N, F) is False where captions have no words
    for the class, an ordinary one.
    """

    images: np.ndarray
    recipes: list[Recipe]
    classes: Tensor
    worded: Tensor
    probability: np.ndarray


def fit(faces: RenderSet, tokenizer: WordTokenizer, seed: int, epochs: int) -> CLIP:
    """Train and return the CLIP; covered, profile and harshly lit faces are drawn more often than others."""
    torch.manual_seed(seed)
    rng = generator(seed)
    pool = build_pool(faces, rng)
    net = small_clip(tokenizer.vocab_size, **ARGUMENTS).train()  # type: ignore[arg-type]
    net.logit_scale.requires_grad_(False).fill_(math.log(LOGIT_SCALE))
    heads = FactorHeads(ARGUMENTS["embed_dim"])
    learning = [*(p for p in net.parameters() if p.requires_grad), *heads.parameters()]
    steps = len(faces.crops) // BATCH

    def losses(_: int) -> Iterator[Tensor]:
        for _ in range(steps):
            rows = rng.choice(len(pool.recipes), size=BATCH, replace=False, p=pool.probability)
            recipes = [pool.recipes[row] for row in rows]
            factors = [mention(rng) for _ in rows]
            tokens = tokenizer([caption(recipe, rng, words) for recipe, words in zip(recipes, factors, strict=True)])
            images = np.stack([_jitter(pool.images[row], rng) for row in rows])
            with torch.autocast("cpu", torch.bfloat16):
                features = net.encode_image(clip_input(images, images.shape[1]))
            features, text = features.float(), net.encode_text(tokens, normalize=True)
            classes = pool.classes[rows]
            mentioned = pool.worded[rows] & torch.tensor([[factor in words for factor in FACTORS] for words in factors])
            loss = contrastive_loss(functional.normalize(features), text, truth(classes, mentioned))
            yield loss + HEADS_WEIGHT * heads(features, classes)

    train_one_cycle(
        learning, losses, epochs=epochs, steps=steps, rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY, rise=0.15
    )
    return net.eval()


def build_pool(faces: RenderSet, rng: np.random.Generator) -> Pool:
    """Degrade every training crop in `VARIATIONS` ways and shrink the results to the network's input size."""
    size = ARGUMENTS["image_size"]
    recipes = [draw_variation(recipe, rng) for recipe in faces.recipes for _ in range(VARIATIONS)]
    degraded = (degraded_crop(faces.crops[index // VARIATIONS], recipe) for index, recipe in enumerate(recipes))
    images = np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in degraded])
    described = [attributes(recipe) for recipe in recipes]
    classes = [[list(WORDINGS[factor]).index(entry[factor]) for factor in FACTORS] for entry in described]
    worded = [[bool(WORDINGS[factor][entry[factor]]) for factor in FACTORS] for entry in described]
    return Pool(images, recipes, torch.tensor(classes), torch.tensor(worded), _draw_probability(recipes))


def _draw_probability(recipes: list[Recipe]) -> np.ndarray:
    weight = np.array(
        [
            (OCCLUDED_WEIGHT if recipe.occluder != "none" else 1.0)
            * (PROFILE_WEIGHT if abs(recipe.pose.yaw) > PROFILE_YAW else 1.0)
            * (HARSH_WEIGHT if unevenness(recipe.light) >= HARSH_FROM else 1.0)
            for recipe in recipes
        ]
    )
    return weight / weight.sum()


def _jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = image[:, ::-1] if rng.random() < 0.5 else image
    shift = tuple(int(value) for value in rng.integers(-2, 3, size=2))
    return np.ascontiguousarray(np.roll(image, shift, axis=(0, 1)))


def main() -> None:
    """Render (or reuse) the faces, train, publish, print the digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--identities", type=int, default=SetSize.identities)
    parser.add_argument("--renders", type=Path, default=None, help="stored renders; made when missing")
    parser.add_argument("--out", type=Path, default=BUNDLED)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    renders = options.renders or cache_path(options.seed)
    faces = cached_render_set(renders, options.seed, SetSize(identities=options.identities))
    card = train_image_text(faces, options.out, options.seed, options.epochs)
    sys.stdout.write(f"{card.name} sha256 {card.sha256}\n")
    for key, value in card.metrics.items():
        sys.stdout.write(f"  {key}: {value}\n")


if __name__ == "__main__":
    main()
