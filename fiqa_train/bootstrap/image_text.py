"""Trains the bundled dual encoder: `python -m fiqa_train.bootstrap.image_text`."""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from actors.captions import FACTORS, WORDINGS, attributes, caption, vocabulary
from actors.degradation import degrade
from actors.image_text import BundledImageText
from actors.model_zoo import WEIGHTS_DIR
from actors.nets.dual_encoder import WordTokenizer, clip_input, small_clip
from fiqa_train.bootstrap.caption_metrics import caption_metrics
from fiqa_train.bootstrap.publish import publish, write_card
from fiqa_train.bootstrap.render_set import RenderSet, SetSize, cached_render_set
from fiqa_train.bootstrap.variation import draw_variation
from schemas.model_card import ModelCard
from schemas.recipe import Recipe
from schemas.seeds import derive_seed, generator

NAME = "bundled-clip"
ARGUMENTS = {
    "context_length": 40,
    "embed_dim": 96,
    "image_size": 64,
    "patch_size": 8,
    "vision_width": 128,
    "vision_layers": 4,
    "text_width": 96,
    "text_layers": 2,
    "mlp_ratio": 2.0,
}
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 10, 64, 1e-3, 0.1
LOGIT_SCALE = 30.0
"""Fixed. A free scale ends wherever the margins between captions of few renders end; the label divides by 1 - v_l,
so cosines that spread over all of -1..1 would drown the other terms."""
MENTION_RATE = 0.75
OCCLUDED_WEIGHT, PROFILE_WEIGHT, PROFILE_YAW = 2.0, 1.5, 55.0


def mention(rng: np.random.Generator) -> list[str]:
    """Draw which factors a caption speaks of; occlusion always."""
    return [factor for factor in FACTORS if factor == "occlusion" or rng.random() < MENTION_RATE]


def truth(classes: Tensor, mentioned: Tensor) -> Tensor:
    """Return bool (B, B): caption j is true of image i, because every factor that it mentions agrees.

    `classes` (B, F) numbers each image's class of each factor, `mentioned` (B, F) says what caption j speaks of.
    """
    agree = classes[:, None] == classes[None, :]
    return (agree | ~mentioned[None, :]).all(dim=-1)


def contrastive_loss(image: Tensor, text: Tensor, true: Tensor) -> Tensor:
    """Return CLIP's symmetric cross-entropy with the target spread over every true pair, not only the drawn one."""
    logits = LOGIT_SCALE * image @ text.T
    target = true.float()
    over_captions = functional.cross_entropy(logits, target / target.sum(dim=1, keepdim=True))
    over_images = functional.cross_entropy(logits.T, target.T / target.T.sum(dim=1, keepdim=True))
    return (over_captions + over_images) / 2


def train_image_text(faces: RenderSet, folder: Path, seed: int, epochs: int = EPOCHS) -> ModelCard:
    """Train the dual encoder on a render set, publish it and return its card with held-out metrics."""
    words = vocabulary()
    tokenizer = WordTokenizer(words, int(ARGUMENTS["context_length"]))
    net = fit(faces.of("train"), tokenizer, derive_seed(seed, "bootstrap", NAME), epochs)
    card = publish(
        net,
        folder,
        name=NAME,
        role="image_text",
        architecture="open-clip",
        arguments={**ARGUMENTS, "vocabulary": words},
        input_size=int(ARGUMENTS["image_size"]),
        channels="rgb",
        value_range=(0.0, 1.0),
        normalise="clip",
        output="cosine of image and caption, -1..1",
        trained_on=f"{len(faces.of('train').crops)} renders of this project's procedural heads, bootstrap seed {seed}",
        command=f"python -m fiqa_train.bootstrap.image_text --seed {seed}",
    )
    metrics = caption_metrics(BundledImageText(NAME, folder=folder), faces.select(faces.part != "train"))
    card = card.model_copy(update={"metrics": {key: round(value, 4) for key, value in metrics.items()}})
    write_card(card, folder)
    return card


def fit(faces: RenderSet, tokenizer: WordTokenizer, seed: int, epochs: int) -> torch.nn.Module:
    """Return the trained CLIP. Covered and profile faces are drawn more often than they were rendered."""
    torch.manual_seed(seed)
    rng = generator(seed)
    net = small_clip(tokenizer.vocab_size, **ARGUMENTS).train()  # type: ignore[arg-type]
    net.logit_scale.requires_grad_(False).fill_(math.log(LOGIT_SCALE))
    optimiser = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], weight_decay=WEIGHT_DECAY)
    steps = len(faces.crops) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=steps * epochs, pct_start=0.15, cycle_momentum=False
    )
    share = _draw_probability(faces.recipes)
    for epoch in range(epochs):
        started, total = time.process_time(), 0.0
        for _ in range(steps):
            rows = rng.choice(len(share), size=BATCH, replace=False, p=share)
            varied = [draw_variation(faces.recipes[row], rng) for row in rows]
            said = [mention(rng) for _ in rows]
            tokens = tokenizer([caption(recipe, rng, words) for recipe, words in zip(varied, said, strict=True)])
            crops = [degrade(_jitter(faces.crops[row], rng), r).image for row, r in zip(rows, varied, strict=True)]
            image = net.encode_image(clip_input(np.stack(crops), int(ARGUMENTS["image_size"])), normalize=True)
            text = net.encode_text(tokens, normalize=True)
            loss = contrastive_loss(image, text, truth(_classes(varied), _mentioned(said)))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        seconds = time.process_time() - started
        sys.stderr.write(f"epoch {epoch + 1}/{epochs}  loss {total / steps:.3f}  {seconds:.0f} CPU s\n")
    return net.eval()


def _draw_probability(recipes: list[Recipe]) -> np.ndarray:
    weight = np.array(
        [
            (OCCLUDED_WEIGHT if recipe.occluder != "none" else 1.0)
            * (PROFILE_WEIGHT if abs(recipe.pose.yaw) > PROFILE_YAW else 1.0)
            for recipe in recipes
        ]
    )
    return weight / weight.sum()


def _jitter(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = crop[:, ::-1] if rng.random() < 0.5 else crop
    shift = tuple(int(value) for value in rng.integers(-3, 4, size=2))
    return np.ascontiguousarray(np.roll(image, shift, axis=(0, 1)))


def _classes(recipes: list[Recipe]) -> Tensor:
    described = [attributes(recipe) for recipe in recipes]
    return torch.tensor(
        [[list(WORDINGS[factor]).index(getattr(entry, factor)) for factor in FACTORS] for entry in described]
    )


def _mentioned(said: list[list[str]]) -> Tensor:
    return torch.tensor([[factor in words for factor in FACTORS] for words in said])


def main() -> None:
    """Command line: render (or reuse) the faces, train, publish, print the digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--identities", type=int, default=SetSize.identities)
    parser.add_argument("--renders", type=Path, default=Path("bootstrap-renders.npz"), help="made when missing")
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR)
    options = parser.parse_args()
    torch.set_num_threads(1)
    faces = cached_render_set(options.renders, options.seed, SetSize(identities=options.identities))
    card = train_image_text(faces, options.out, options.seed, options.epochs)
    sys.stdout.write(f"{card.name} sha256 {card.sha256}\n")
    for key, value in card.metrics.items():
        sys.stdout.write(f"  {key}: {value}\n")


if __name__ == "__main__":
    main()
