"""The optimiser of an objective: one group for the network, one for class centres."""

import torch
from torch import nn

from synfiqa.fiqa_train.training.methods.objective import Objective
from synfiqa.schemas.config.train_config import TrainSection


def optimiser_of(section: TrainSection, objective: Objective) -> torch.optim.Optimizer:
    """Return AdamW, Adam or SGD over network and class centres, a group each, as CR-FIQA's two optimisers are."""
    groups = [{"params": [*part.parameters()]} for part in (objective.network, objective.beside)]
    groups = [group for group in groups if group["params"]]
    if section.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=section.learning_rate, weight_decay=section.weight_decay)
    if section.optimiser == "adam":
        return torch.optim.Adam(groups, lr=section.learning_rate, weight_decay=section.weight_decay)
    return torch.optim.SGD(
        groups, lr=section.learning_rate, momentum=section.momentum, weight_decay=section.weight_decay
    )


def set_step_size(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Set the step size of all groups."""
    for group in optimiser.param_groups:
        group["lr"] = value


def clip(network: nn.Module, norm: float) -> None:
    """Scale the gradient of the network down to an L2 norm; class centres stay as they are."""
    nn.utils.clip_grad_norm_(network.parameters(), norm)
