"""Quality labels of the images of a source from a CSV with columns path and score."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from synfiqa.fiqa_train.datasets.scores.image_names import ImageNames
from synfiqa.fiqa_train.datasets.scores.score_csv import read_scores
from synfiqa.schemas.errors import UserError


def outside_scores(source: str, path: str, names: Sequence[str]) -> np.ndarray:
    """Return the scores float32 (N,) of named images, NaN for those without.

    UserError for a file that cannot be read, names none of the images, or gives an image two different scores.
    """
    where = f"training source '{source}': {path}"
    try:
        text = Path(path).expanduser().read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise UserError(f"training source '{source}': cannot read {path} ({error.strerror})") from error
    images, scores = read_scores(where, text)
    known = ImageNames(names)
    rows = np.array([known.find(image) for image in images], np.int64)
    here = np.flatnonzero(rows >= 0)
    if not len(here):
        raise UserError(f"{where} scores none of its images, such as {names[0]}, but {images[0]}; name them alike")
    found = np.full(len(names), np.nan, np.float32)
    found[rows[here]] = scores[here]
    different = here[found[rows[here]] != scores[here].astype(np.float32)]
    if len(different):
        raise UserError(f"{where} has different scores for {images[different[0]]}; leave one row an image")
    return found
