"""The best shots of each person in videos, with time stamps, written to one file of scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.players import player
from synfiqa.actors.roles import Embedder, QualityScorer
from synfiqa.fiqa_train.scoring.output.score_columns import Row, finite, row_of
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.output.sheet import SheetRows
from synfiqa.fiqa_train.scoring.output.tally import Tally
from synfiqa.fiqa_train.scoring.output.target import check_target
from synfiqa.fiqa_train.scoring.output.written import Output, report, write_scores
from synfiqa.fiqa_train.scoring.photo_list import Photo, printable
from synfiqa.fiqa_train.scoring.photographs import NO_FACE, Score, SearchOptions, score_photos
from synfiqa.fiqa_train.scoring.score_file import settings_of, target_and_inputs
from synfiqa.fiqa_train.scoring.sources import open_scorers, scorer_columns
from synfiqa.fiqa_train.scoring.video.frames import RATE, find_videos, frame_at, frames, require_decoder
from synfiqa.fiqa_train.scoring.video.tracks import Shot, Track, Tracker
from synfiqa.schemas.errors import UserError

EMBEDDER = "bundled-a"
"""The recognition network that joins the faces of a person."""


def run_best_shots(
    paths: Sequence[str | Path],
    models: Sequence[str],
    out: str,
    best: int,
    options: SearchOptions | None = None,
    preview: Path | None = None,
) -> Tally:
    """Write the `best` shots at most of each person in each video, with seconds from the begin.

    Five frames a second are searched for all faces. The file is that of photographs with the columns track, rank and
    time. UserError without PyAV, for a missing path, and all that `run_score` refuses; JobFailed where nothing was
    scored.
    """
    require_decoder()
    options = options or SearchOptions()
    if options.aligned:
        raise UserError("--best searches the frames of videos for faces: leave --aligned out")
    target, inputs = target_and_inputs(paths, out, preview)
    videos = {str(path): path for path in find_videos(inputs)}
    if target is not None:
        check_target(target, videos.values())
    scorers = open_scorers(models, options.device)
    columns = scorer_columns(scorers)
    every_face = replace(options, all_faces=True)
    settings = settings_of(columns, every_face, {"best": best, "frames per second": RATE, "embedder": EMBEDDER})
    output = Output(target, columns, settings, shots=True)
    model = Catalogue.load().model(EMBEDDER, "embedder")
    embedder, same = player(model), model.card.match_cosine or 1.0

    def groups(done: frozenset[str]) -> Iterator[tuple[str, list[Row]]]:
        for name, path in videos.items():
            if name not in done:
                tracks, reason = tracks_of_video(path, scorers, every_face, embedder, same)
                yield name, rows_of_video(path, tracks, reason, columns, best)

    def read(row: Row) -> tuple[np.ndarray, float]:
        time = row.get("time")
        if time is None:
            raise ValueError("the video has no frame with a face")
        return frame_at(shown[str(row["path"])], float(time)), 1.0

    shown = {printable(name): path for name, path in videos.items()}
    sheet = SheetRows()
    tally = write_scores(output, list(videos), groups, sheet)
    report(output, tally, sheet, read, preview, "videos")
    return tally


def rows_of_video(
    path: Path, tracks: Sequence[Track], reason: str, columns: Sequence[ScorerColumn], best: int
) -> list[Row]:
    """Return the rows of the best shots of a video by track and rank, and one row with the reason if there is one."""
    rows = [
        row_of(replace(shot.found, path=str(path)), columns, {"track": track.number, "rank": rank, "time": shot.time})
        for track in tracks
        for rank, shot in enumerate(track.best(best), start=1)
    ]
    return [*rows, *([row_of(Score(str(path), reason=reason), columns)] if reason else [])]


def tracks_of_video(
    path: Path, scorers: Mapping[str, QualityScorer], options: SearchOptions, embedder: Embedder, same: float
) -> tuple[list[Track], str]:
    """Return the persons of a video with their scored shots; and the reason where there is none, or it is damaged."""
    # Only frames that are being scored are kept: those of a whole video take gigabytes.
    waiting: dict[str, tuple[float, np.ndarray]] = {}

    def photos() -> Iterator[Photo]:
        for number, (time, image) in enumerate(frames(path)):
            waiting[str(number)] = time, image
            yield Photo(str(number), partial(np.asarray, image))

    tracker, searched = Tracker(same), 0
    try:
        for name, found in groupby(score_photos(photos(), scorers, options), key=lambda row: row.path):
            time, image = waiting.pop(name)
            searched += 1
            shots = [Shot(round(time, 3), row) for row in map(finite, found) if row.scores]
            marks = [shot.found.landmarks for shot in shots if shot.found.landmarks is not None]
            if shots and len(marks) == len(shots):
                crops = np.stack([align_smoothly(image, points) for points in marks])
                tracker.add(shots, embedder.embed(crops))
    except ValueError as error:
        return tracker.tracks, str(error)
    return tracker.tracks, "" if tracker.tracks else f"{NO_FACE} in {searched} frames"
