"""Trains the bundled quality model of portraits: compact DSL-FIQA on renders against their clean images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.fiqa_train.bundled.portrait_model.in_process import trained
from synfiqa.fiqa_train.bundled.portrait_model.rendered_portraits import clean_portraits, degraded
from synfiqa.fiqa_train.bundled.publish import publish_quality
from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_agreement import agreement
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.model_card import ModelCard

NAME = "bundled-dsl"
THREADS = 2
"""Of torch, fixed so that a training is repeatable on a machine."""


@dataclass(frozen=True)
class PortraitPlan:
    """Identities to train on, to choose the epoch by and to test on, with portraits of each and degraded copies."""

    identities: int = 320
    validation: int = 30
    held_out: int = 40
    poses: int = 2
    copies: int = 3
    test_copies: int = 6
    side: int = 160


def train_portrait_quality(
    folder: Path, seed: int, section: TrainSection, plan: PortraitPlan | None = None, processes: int = 2
) -> ModelCard:
    """Render, train by `section` (configs/train/dsl-fiqa-compact.yaml), test and publish; return the card."""
    torch.set_num_threads(THREADS)
    plan = plan or PortraitPlan()
    sets = portrait_sets(seed, plan, processes)
    model = trained(section, sets["train"], sets["val"], seed, THREADS)
    return publish_quality(model, held_out_figures(model, sets["test"]), folder / f"{NAME}.safetensors")


def portrait_sets(seed: int, plan: PortraitPlan, processes: int = 2) -> dict[str, KeptPortraits]:
    """Return the degraded portraits of `train`, `val` and `test`, of other identities and degradations each."""
    parts = {"train": plan.identities, "val": plan.validation, "test": plan.held_out}
    copies = {"train": plan.copies, "val": 2, "test": plan.test_copies}
    found = {}
    for number, (part, identities) in enumerate(parts.items()):
        clean = clean_portraits(seed, part, identities, plan.poses, plan.side, processes)
        found[part] = degraded(clean, copies[part], seed + number)
    return found


def held_out_figures(model: PortraitModel, portraits: KeptPortraits) -> dict[str, float]:
    """Return SRCC, PLCC without and with the logistic mapping, and the number of held-out portraits."""
    items = portraits.items
    scores = model.score_portraits([item.image for item in items], [np.asarray(item.landmarks) for item in items])
    found = agreement(scores, portraits.scores)
    figures = {"srcc": found.srcc, "plcc": found.plcc, "plcc_mapped": found.plcc_mapped, "images": found.images}
    return {name: round(float(value), 4) for name, value in figures.items()}
