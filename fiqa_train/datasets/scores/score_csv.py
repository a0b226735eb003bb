"""CSV files with a column of image names and one of scores."""

import csv
import io
import math

import numpy as np

from synfiqa.schemas.errors import UserError

IMAGE_COLUMNS = ("path", "sample_id", "filename", "image", "id")
SCORE_COLUMNS = ("score", "quality")


def read_scores(where: str, text: str) -> tuple[list[str], np.ndarray]:
    """Return image names and scores float64 (N,) of a CSV with a header; `where` names the file in messages.

    Rows with an empty score are images that could not be scored, and are left out. UserError without such columns, for
    a short row, a score that is no finite number, and a file without scores.
    """
    lines = csv.reader(io.StringIO(text, newline=""))
    head = [column.strip().lower() for column in next(lines, [])]
    image = next((head.index(name) for name in IMAGE_COLUMNS if name in head), None)
    score = next((head.index(name) for name in SCORE_COLUMNS if name in head), None)
    if image is None or score is None:
        raise UserError(
            f"{where} has no header with {' or '.join(IMAGE_COLUMNS[:3])} and {' or '.join(SCORE_COLUMNS)}, separated "
            f"by commas; its first line is '{text.partition(chr(10))[0][:60].strip()}'"
        )
    images: list[str] = []
    scores: list[float] = []
    for row in lines:
        if not row:
            continue
        if len(row) <= max(image, score):
            raise UserError(f"{where}, line {lines.line_num}: {len(row)} fields, not {len(head)}")
        if field := row[score].strip():
            images.append(row[image])
            scores.append(_score(field, f"{where}, line {lines.line_num}"))
    if not images:
        raise UserError(f"{where} has no scores")
    return images, np.array(scores, np.float64)


def _score(field: str, place: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{place}: the score '{field}' is no finite number; correct it or leave the field empty")
    return value
