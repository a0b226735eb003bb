"""Scores of photographs by a quality scorer, written to one CSV file."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.scoring.photographs import NO_FACE, Photo, Score, find_photos, score_photos
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.errors import UserError

COLUMNS = ("path", "score", "reason", "detection", "x0", "y0", "x1", "y1")


def run_score(paths: Sequence[str | Path], model: str, out: str | Path) -> Counter[str]:
    """Score the photographs and write the CSV at once, one row a photograph; returns how many had each `outcome`.

    `score` is empty where `reason` is not: a damaged file or one without a face does not stop the job. UserError for a
    missing path, a source without a model, a CSV that would replace one of the photographs, or an unwritable folder.
    """
    target = Path(out)
    if target.is_dir():
        raise UserError(f"{target} is a folder: give --out the name of a CSV file")
    photos = find_photos(paths)
    _refuse_photograph(target, photos)
    scorer = open_scorer(str(model))
    folder = Storage(str(target.absolute().parent))
    preflight(folder)
    bar = Progress(
        TextColumn("score"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        scores = list(bar.track(score_photos(photos, {str(model): scorer}), total=len(photos)))
    folder.write(target.name, to_csv(scores))
    return Counter(outcome(score) for score in scores)


def _refuse_photograph(target: Path, photos: Iterable[Photo]) -> None:
    """Raise UserError where the CSV would replace one of the photographs, also through another name or link."""
    if _is_scores(target):
        return
    # `Path.absolute` keeps "..", and `Path.resolve` follows a broken link.
    name, status = os.path.abspath(target), _status(target)  # noqa: PTH100
    for photo in (photo.path for photo in photos if photo.path):
        found = _status(photo) if status else None
        if os.path.abspath(photo) == name or (status and found and os.path.samestat(status, found)):  # noqa: PTH100
            raise UserError(f"{target} is one of the photographs: give --out another name, such as scores.csv")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _is_scores(path: Path) -> bool:
    """Return whether a file is the CSV of an earlier call, which `photos/*` would name among the photographs."""
    header = to_csv([])
    try:
        if not path.is_file():  # reading a pipe or a terminal would block
            return False
        with path.open("rb") as file:
            return file.read(len(header)) == header
    except OSError:
        return False


def outcome(score: Score) -> str:
    """Return the outcome of a photograph: `scored`, or the reason in a few words."""
    if score.score is not None:
        return "scored"
    if score.detection is not None:
        return "without alignment"
    return "without a face" if score.reason == NO_FACE else "unreadable"


def to_csv(scores: Sequence[Score]) -> bytes:
    """Return the scores as CSV in UTF-8 with a header line; file names that are not UTF-8 keep their bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for score in scores:
        box = score.box or ("",) * 4
        writer.writerow(
            [
                score.path,
                "" if score.score is None else f"{score.score:.6f}",
                score.reason,
                "" if score.detection is None else f"{score.detection:.4f}",
                *(f"{value:.1f}" if isinstance(value, float) else value for value in box),
            ]
        )
    return text.getvalue().encode("utf-8", "surrogateescape")
