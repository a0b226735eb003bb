"""Scores of photographs by quality scorers, written to one file as they are made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.cluster.run.fingerprint import library_version
from synfiqa.fiqa_train.scoring.output.score_columns import Row, row_of
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.output.sheet import SheetRows, require_folder
from synfiqa.fiqa_train.scoring.output.tally import Tally
from synfiqa.fiqa_train.scoring.output.target import STANDARD_OUTPUT, check_target, named_target, without_scores
from synfiqa.fiqa_train.scoring.output.written import Output, note, report, write_scores
from synfiqa.fiqa_train.scoring.photographs import Photo, Score, SearchOptions, find_photos, score_photos
from synfiqa.fiqa_train.scoring.read_ahead import read_ahead
from synfiqa.fiqa_train.scoring.sources import open_scorers, scorer_columns
from synfiqa.fiqa_train.scoring.video.frames import SUFFIXES as VIDEOS
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY


def run_score(
    paths: Sequence[str | Path],
    model: str | Sequence[str] = BUNDLED_QUALITY,
    out: str | Path = "scores.csv",
    options: SearchOptions | None = None,
    preview: Path | None = None,
) -> Tally:
    """Score the photographs and write the file as rows are made; returns the counts of outcomes.

    `out` is CSV, JSON lines or Parquet by its ending, or `-` for CSV on standard output; `preview` a folder for a sheet
    of the best, worst and failed. A damaged photograph or one without a face has a reason in place of a score and does
    not stop the job. The same call after an interruption goes on. UserError for a missing path, a source without a
    model, and a file that would replace an input or was begun with other settings; JobFailed where nothing was scored.
    """
    options = options or SearchOptions()
    target, inputs = target_and_inputs(paths, str(out), preview)
    if videos := [path for path in inputs if Path(path).suffix.lower() in VIDEOS]:
        raise UserError(f"{videos[0]} is a video: add --best N for the N best shots of each person in it")
    found = find_photos(inputs)
    photos = {photo.name: photo for photo in found}
    if target is not None:
        files = (photo.path for photo in photos.values() if photo.path)
        check_target(target, (*map(Path, inputs), *files))
    if left_out := found.skipped_sentence():
        note(left_out)
    scorers = open_scorers((model,) if isinstance(model, str) else model, options.device)
    columns = scorer_columns(scorers)
    output = Output(target, columns, settings_of(columns, options))

    def groups(done: frozenset[str]) -> Iterator[tuple[str, list[Row]]]:
        todo = (photo for photo in photos.values() if photo.name not in done)
        for name, rows in by_photograph(score_photos(todo, scorers, options), all_faces=options.all_faces):
            yield name, [row_of(row, columns) for row in rows]

    def read(row: Row) -> tuple[np.ndarray, float]:
        return _pixels(photos[str(row["path"])])

    sheet = SheetRows()
    tally = write_scores(output, list(photos), groups, sheet)
    if warning := tally.warning(all_faces=options.all_faces or options.aligned, which=options.which):
        note(warning)
    report(output, tally, sheet, read, preview)
    return tally


def target_and_inputs(
    paths: Sequence[str | Path], out: str, preview: Path | None = None
) -> tuple[Path | None, list[str]]:
    """Return the file of scores, None for standard output, and the inputs without scores of earlier calls.

    UserError for an ending that is no format, a folder of the sheet that cannot be made, and where no input is left.
    """
    target = None if out == STANDARD_OUTPUT else named_target(out)
    inputs, left = without_scores(paths)
    if left:
        note(f"left out, since they hold scores of an earlier call: {', '.join(left)}")
    if not inputs:
        raise UserError("only scores of earlier calls are named: name photographs, or folders of them")
    if preview is not None:
        require_folder(preview)
    return target, inputs


def settings_of(
    scorers: Sequence[ScorerColumn], options: SearchOptions, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all that decides a row, which must be equal for an interrupted call to go on."""
    return {
        "models": {scorer.name: scorer.digest for scorer in scorers},
        "aligned": options.aligned,
        "all_faces": options.all_faces,
        "which": options.which,
        "min_face": options.min_face,
        "search_size": options.search_size,
        "synfiqa": library_version("synfiqa"),
        **(more or {}),
    }


def by_photograph(scores: Iterable[Score], *, all_faces: bool) -> Iterator[tuple[str, list[Score]]]:
    """Yield the name of each photograph with its rows, as soon as the last is there."""
    rows: list[Score] = []
    for row in scores:
        if rows and rows[0].path != row.path:
            yield rows[0].path, rows
            rows = []
        rows.append(row)
        if not all_faces or len(rows) >= row.faces:
            yield row.path, rows
            rows = []
    if rows:
        yield rows[0].path, rows


def _pixels(photo: Photo) -> tuple[np.ndarray, float]:
    found = next(iter(read_ahead([photo])))
    if found.pixels is None:
        raise ValueError(found.reason)
    return found.pixels, max(found.size) / max(found.pixels.shape[:2])
