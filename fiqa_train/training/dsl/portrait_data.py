"""Portraits that a config names, opened and checked on the driver before any worker starts."""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.portraits.gfiqa_layout import SCORES
from synfiqa.fiqa_train.portraits.run_portraits import run_portraits
from synfiqa.fiqa_train.training.dsl.portrait_set import (
    FolderPortraits,
    PortraitData,
    PortraitSet,
    RunSplit,
    require_split,
)
from synfiqa.fiqa_train.training.splits import Split
from synfiqa.schemas.config.train_config import TrainSection

MEASURED = 64
"""Portraits whose size is looked at."""


class CheckedPortraits(NamedTuple):
    """Portraits of a training, their number, the identities of each split, and the usual side in pixels."""

    data: PortraitData
    rows: int
    identities: dict[str, int]
    side: int


def portraits_of(
    section: TrainSection, crop: int, storage: Storage, label: str, splits: Mapping[int, Split]
) -> CheckedPortraits:
    """Return the portraits of a folder or of the run, split by identity; UserError for those that are no use.

    Refused, with the remedy, are missing files, images smaller than a crop, landmarks outside their image, missing and
    equal scores. `splits` are those of the run's identities, `label` the label pass whose columns are scores.
    """
    dsl = section.dsl
    if dsl.folder:
        train, validation = (FolderPortraits(dsl.folder, split, crop) for split in ("train", "val"))
        sources = PortraitData(train, validation, _unlabelled(section, crop))
    else:
        found = run_portraits(storage, dsl.score, label)
        own = {
            split: frozenset(identity for identity, one in splits.items() if one == split)
            for split in ("train", "validation")
        }
        sources = PortraitData(
            RunSplit(found, own["train"], crop),
            RunSplit(found, own["validation"], crop),
            _unlabelled(section, crop),
        )
    opened = {"train": sources.train.open(), "validation": sources.validation.open()}
    for name, portraits in opened.items():
        require_split(portraits, f"the {name} split of {dsl.folder or 'the run'}")
    if sources.unlabelled is not None:
        sources.unlabelled.open()
    identities = {name: len(set(portraits.groups)) for name, portraits in opened.items()} | {"test": 0}
    return CheckedPortraits(sources, len(opened["train"]), identities, usual_side(opened["train"]))


def usual_side(portraits: PortraitSet) -> int:
    """Return the median of the smaller side of some portraits in pixels: photographs are cut to it."""
    rows = np.linspace(0, len(portraits) - 1, min(MEASURED, len(portraits))).round().astype(int)
    return int(np.median([min(portraits[int(row)].image.shape[:2]) for row in rows]))


def folder_digest(folder: str) -> str:
    """Return the SHA-256 (hex) over scores, and over path and size of every file of a folder of portraits."""
    storage = Storage(folder)
    entries = sorted(storage.stat(), key=lambda entry: entry.path)
    whole = hashlib.sha256(json.dumps([[entry.path, entry.bytes] for entry in entries]).encode())
    for entry in entries:
        if entry.path.endswith(SCORES):
            whole.update(storage.read(entry.path))
    return whole.hexdigest()


def _unlabelled(section: TrainSection, crop: int) -> FolderPortraits | None:
    return FolderPortraits(section.dsl.unlabelled, "train", crop) if section.dsl.unlabelled else None
