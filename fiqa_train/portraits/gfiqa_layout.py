"""The folder layout of GFIQA-20k and CGFIQA-40k (DSL-FIQA), as this project writes it.

`<root>/<split>/img/<name>.png`, `<split>/landmark/<name>.npy` (68 x 2, x then y in pixels) and `<split>/label.json`
with two parallel lists, `Image` (file names) and `MOS` (scores, higher is better). Beside them the published sets lack
`<split>/degradation.json`: parallel lists `Image`, `Identity` and `Degradation` (the operators' values by name).
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from synfiqa.actors.imaging.codec import encode_png
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

IMAGES, LANDMARKS, SCORES, DEGRADATIONS = "img", "landmark", "label.json", "degradation.json"
"""Names inside a split's folder."""

_TENTHS: dict[int, Split] = {8: "val", 9: "test"}


class Entry(NamedTuple):
    """What the JSON files of a split state of one image."""

    split: Split
    image: str
    score: float
    group: str
    degradation: Mapping[str, float]


def split_of(identity: int) -> Split:
    """Return the split of an identity by its last digit: 8 is in `val`, 9 in `test`, all others in `train`.

    Identities are numbered as they were drawn, so that this is a random share; a run that grows moves none.
    """
    return _TENTHS.get(identity % 10, "train")


def entry_of(item: PortraitItem) -> Entry:
    """Return the entry of a run's portrait, whose group is its identity's number."""
    return Entry(split_of(int(item.group)), f"{item.name}.png", item.score, item.group, item.degradation)


def portrait_files(item: PortraitItem) -> dict[str, bytes]:
    """Return image and landmarks of a run's portrait by their paths below the root."""
    split = split_of(int(item.group))
    array = io.BytesIO()
    np.save(array, np.asarray(item.landmarks, np.float32), allow_pickle=False)
    return {
        f"{split}/{IMAGES}/{item.name}.png": encode_png(item.image),
        f"{split}/{LANDMARKS}/{item.name}.npy": array.getvalue(),
    }


def split_files(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the JSON files of every split that has images, by their paths below the root, images in order of names."""
    files = {}
    for split in SPLITS:
        own = sorted((entry for entry in entries if entry.split == split), key=lambda entry: entry.image)
        if own:
            names = [entry.image for entry in own]
            scores = {"Image": names, "MOS": [entry.score for entry in own]}
            beside = {
                "Image": names,
                "Identity": [entry.group for entry in own],
                "Degradation": [dict(entry.degradation) for entry in own],
            }
            files[f"{split}/{SCORES}"] = json.dumps(scores, allow_nan=False) + "\n"
            files[f"{split}/{DEGRADATIONS}"] = json.dumps(beside, allow_nan=False) + "\n"
    return files
