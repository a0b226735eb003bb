"""The objective of each method of the config."""

import torch
from torch import nn

from synfiqa.fiqa_train.training.methods.classifiability import Classifiability
from synfiqa.fiqa_train.training.methods.distillation import Distillation, Teacher
from synfiqa.fiqa_train.training.methods.label_head import LabelHead
from synfiqa.fiqa_train.training.methods.label_regression import LabelRegression
from synfiqa.fiqa_train.training.methods.margins import Kind, MarginClasses
from synfiqa.fiqa_train.training.methods.objective import Normalise, Objective
from synfiqa.fiqa_train.training.methods.sampled_classes import SampledClasses
from synfiqa.schemas.config.train_config import CLASSIFYING, TrainSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed

MARGINS: dict[str, tuple[Kind, float]] = {
    "cr_fiqa": ("arcface", 0.5),
    "mr_fiqa": ("arcface", 0.5),
    "vit_fiqa": ("cosface", 0.4),
}
"""Kind and published size of the margin of each method that classifies."""


def classifies(section: TrainSection) -> bool:
    """Return whether a training classifies identities."""
    return section.method in CLASSIFYING and (section.method != "mr_fiqa" or section.objective.identity_loss)


def require_classes(section: TrainSection, classes: int) -> None:
    """Raise UserError when a method that classifies has fewer than two identities to train on."""
    if classifies(section) and classes < 2:
        raise UserError(
            f"train.method={section.method} classifies identities but the training has {classes}: add identities or a "
            "source, or use train.method=label_regression"
        )


def build_objective(
    section: TrainSection,
    network: nn.Module,
    normalise: Normalise,
    classes: int,
    seed: int,
    *,
    gray: bool = False,
    teacher: Teacher | None = None,
) -> Objective:
    """Return the objective of `section.method` around a network; class centres are fixed by the seed.

    `classes` counts the identities; `gray` states whether the network takes luma; `teacher` is that of `distil`.
    """
    chosen = section.objective
    if section.method == "label_regression":
        return LabelRegression(network, normalise)
    if section.method == "dsl_fiqa":
        # Its networks import timm, which takes seconds.
        from synfiqa.fiqa_train.training.methods.dsl_fiqa import DslFiqa

        return DslFiqa(network, normalise, section.dsl)
    if section.method == "distil":
        assert teacher is not None, "the task of a distillation has a teacher"
        return Distillation(network, normalise, teacher, gray=gray)
    centres: nn.Module | None = None
    if classifies(section):
        require_classes(section, classes)
        kind, margin = MARGINS[section.method]
        torch.manual_seed(derive_seed(seed, "train", "classes"))
        size = margin if chosen.margin is None else chosen.margin
        dim = int(network.embedding_dim)  # type: ignore[arg-type]
        if chosen.sample_rate < 1:
            own = derive_seed(seed, "train", "classes")
            centres = SampledClasses(dim, classes, chosen.scale, size, kind, chosen.sample_rate, own)
        else:
            centres = MarginClasses(dim, classes, chosen.scale, size, kind)
    if section.method == "mr_fiqa":
        return LabelHead(network, normalise, centres, chosen.quality_weight)
    assert centres is not None
    return Classifiability(network, normalise, centres, chosen.quality_weight, chosen.ratio)
