"""Command `score`: score photographs with quality scorers and write one file of scores."""

import argparse
from pathlib import Path

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import local_path, positive
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY

SCALE = (
    "A score of bundled-quality lies about between 0 and 1. Its percentile is the share of the model's validation "
    "samples that score lower, its scalar the score on 0..100; both compare models, which scores do not. As a first "
    "threshold discard below percentile 10 (a score of 0.25 of bundled-quality), then move it by what your recogniser "
    "gets wrong."
)

PREVIEW = "--preview writes to this machine"


def score(options: argparse.Namespace) -> None:
    """Write the file of scores; the table of outcomes goes to standard error."""
    out = options.out if options.out == "-" else str(local_path(options.out))
    preview = None if options.preview is None else local_path(options.preview, PREVIEW).expanduser()
    from synfiqa.fiqa_train.scoring.photographs import SearchOptions

    search = SearchOptions(
        aligned=options.aligned,
        all_faces=options.all_faces,
        which=options.which,
        min_face=options.min_face,
        search_size=options.search_size,
        device=options.device,
        **({} if options.batch is None else {"batch": options.batch}),
    )
    if search.aligned and (search.all_faces or search.search_size or search.min_face):
        raise UserError(
            "--aligned takes crops as they are: leave --all-faces, --min-face and --search-size out, since no face is "
            "searched for"
        )
    if options.best is not None:
        from synfiqa.fiqa_train.scoring.video.best_shots import run_best_shots

        run_best_shots(options.paths, models_of(options.model), out, options.best, search, preview)
        return
    from synfiqa.fiqa_train.scoring.score_file import run_score

    run_score(options.paths, models_of(options.model), out, search, preview)


def models_of(text: str) -> list[str]:
    """Return the scorers that a text names, separated by commas; the path of a file or folder may hold commas."""
    if Path(text).exists():
        return [text]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("--model is empty: name a scorer, a run folder or a .safetensors file")
    return names


COMMAND = Command(
    "score",
    "detect, align and score photographs (higher is better)",
    (
        option("paths", nargs="+", metavar="PATH", help="photographs, or folders of them; videos with --best"),
        option(
            "--model",
            default=BUNDLED_QUALITY,
            metavar="PATH",
            help="bundled-quality (default), sharpness, norm, mirror, random; or run, model folder, .safetensors file; "
            "several separated by commas",
        ),
        option(
            "--out",
            default="scores.csv",
            metavar="FILE",
            help="file to write, .csv, .jsonl or .parquet (default: scores.csv); - is CSV on standard output",
        ),
        option("--device", default="cpu", metavar="NAME", help="cpu (default), cuda or cuda:N"),
        option("--batch", type=positive, metavar="N", help="photographs in memory at once"),
        option("--min-face", type=positive, metavar="N", help="leave out faces less than N pixels wide"),
        option("--search-size", type=positive, metavar="N", help="long side in pixels at which faces are searched"),
        option("--aligned", action="store_true", help="the photographs are aligned crops of 112 x 112 pixels"),
        option("--all-faces", action="store_true", help="a row for each face, not for one of a photograph"),
        option(
            "--which",
            choices=("largest", "central"),
            default="largest",
            help="the face to score where there are several (default: largest)",
        ),
        option("--preview", metavar="DIR", help="folder for a page with the best, the worst and those without a score"),
        option(
            "--best", type=positive, metavar="N", help="of videos: the N best shots of each person, with time stamps"
        ),
    ),
    score,
    SCALE,
)


if __name__ == "__main__":
    COMMAND.main()
