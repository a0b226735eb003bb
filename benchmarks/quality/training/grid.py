"""Trainings of the comparison: each objective on each label with each seed, named OBJECTIVE-LABEL-sSEED."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from synfiqa.schemas.config.run import RunConfig

LABELS: dict[str, dict[str, Any]] = {
    "own": {},
    "published": {
        "name": "published",
        "spatial": "ranks",
        "spatial_weight": 0.5,
        "vision_language_weight": 1.0,
        "match_threshold": None,
    },
}
"""Label passes by name: that of the run, and the fusion of the paper."""
OBJECTIVES: dict[str, dict[str, Any]] = {
    "regression": {"method": "label_regression"},
    "mr_fiqa": {"method": "mr_fiqa"},
    "cr_fiqa": {"method": "cr_fiqa"},
    "vit_fiqa": {"method": "vit_fiqa", "network": "compact-vit"},
    "distil": {"method": "distil", "objective": {"teacher": "bundled-quality"}},
}
"""Fields of `train` by objective."""
WITHOUT_LABEL = ("cr_fiqa", "vit_fiqa", "distil")
"""Objectives that use no label, trained on the run's alone, which only chooses the epoch."""


@dataclass(frozen=True)
class Cell:
    """One training: the config of the run with its sections `label` and `train`."""

    name: str
    config: RunConfig


def cells(recorded: RunConfig, seeds: int, epochs: int, network: str) -> Iterator[Cell]:
    """Yield the trainings, seed by seed, so that a run cut short has whole seeds."""
    for seed in range(seeds):
        for objective, fields in OBJECTIVES.items():
            for label, changes in LABELS.items():
                if label != "own" and objective in WITHOUT_LABEL:
                    continue
                name = f"{objective}-{label}-s{seed}"
                train = {"network": network, "initialise": "random", "epochs": epochs, "seed": seed, **fields}
                split = recorded.train.model_dump(include={"validation_fraction", "test_fraction"})
                tree = recorded.model_dump()
                tree["train"] = {**split, "batch_size": 32, "weight_decay": 0.05, **train, "name": name}
                tree["label"] = {**tree["label"], **changes}
                yield Cell(name, RunConfig.model_validate(tree))
